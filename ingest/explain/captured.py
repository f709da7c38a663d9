"""Captured requests: what a person saved of a webhook, read back. Pure.

Three spellings: JSON objects `{id, method, url, headers, body}`, one, a list, or one a line; `curl` commands; a raw
HTTP message, also with the `> ` of `curl -v`.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

_FORM = "application/x-www-form-urlencoded"


class Uncaptured(ValueError):
    """The text is no request in a spelling that we know; says what was expected."""


@dataclass(frozen=True, slots=True)
class Captured:
    """`headers` by lower-case name. A body is text, as it was sent in UTF-8."""

    url: str
    id: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True)
class Unread:
    """One of several that is no request, and why; it does not keep the others from being read."""

    id: str
    why: str


Read = Sequence[Captured | Unread]


def read(text: str) -> Read:
    """All requests of a file. Raises Uncaptured where there is none."""
    text = text.removeprefix("\ufeff").lstrip()
    if text.startswith(("{", "[")):
        found = _json(text)
    elif text.removeprefix("$ ").startswith("curl"):
        found = [_curl(words, str(number)) for number, words in enumerate(_commands(text), 1)]
    elif text:
        found = [_message(text)]
    else:
        found = [Unread("1", "there is nothing in it")]
    if not any(isinstance(each, Captured) for each in found):
        raise Uncaptured("; ".join(each.why for each in found[:3] if isinstance(each, Unread)))
    return found


def _json(text: str) -> Read:
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        # A line may hold what other splitting takes for the end of one, as U+2028.
        return [_line(line, str(number)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    objects = whole if isinstance(whole, list) else [whole]
    return [_object(each, str(number)) for number, each in enumerate(objects, 1)]


def _line(line: str, number: str) -> Captured | Unread:
    try:
        return _object(orjson.loads(line), number)
    except orjson.JSONDecodeError:
        return Unread(number, f"line {number} is not JSON")


def _object(said: object, number: str) -> Captured | Unread:
    if not isinstance(said, dict):
        return Unread(number, f"request {number} is no object with a `url`")
    name = str(number if said.get("id") is None else said["id"])
    headers, body, url = _headers(said.get("headers")), said.get("body"), said.get("url")
    if not isinstance(url, str):
        return Unread(name, f"request {name} is no object with a `url`")
    if headers is None or not isinstance(body or "", str):
        return Unread(name, f"request {name}: `headers` is an object and `body` a text")
    method = str(said.get("method") or "POST").upper()
    return Captured(_absolute(url, headers), name, method, headers, body or "")


def _headers(said: object) -> Mapping[str, str] | None:
    """Of an object, whose values may be lists, or of a list of pairs."""
    if isinstance(said, dict):
        listed = ((name, value if isinstance(value, list) else [value]) for name, value in said.items())
        return _told((str(name), str(value)) for name, values in listed for value in values)
    pairs = said or []
    if not isinstance(pairs, list) or not all(isinstance(each, list) and len(each) == 2 for each in pairs):
        return None
    return _told((str(name), str(value)) for name, value in pairs)


def _told(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """By lower-case name: the first of several, as the door takes it; but proxies add to what was forwarded."""
    found: dict[str, str] = {}
    for name, value in pairs:
        name, value = name.strip().lower(), value.strip()
        if name in found and "forwarded" in name:
            found[name] += f", {value}"
        found.setdefault(name, value)
    return found


def _absolute(target: str, headers: Mapping[str, str]) -> str:
    """A target without its host, as messages have it, with the one of the headers."""
    if not target.startswith("/") or not headers.get("host"):
        return target
    scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip() or "https"
    return f"{scheme}://{headers['host']}{target}"


_HEAD_END = re.compile(r"\r?\n(?:> ?)?(?:\r?\n|\Z)")


def _message(text: str) -> Captured | Unread:
    """`METHOD target HTTP/1.1`, headers, an empty line, the body with the line ends that it has."""
    end = _HEAD_END.search(text)
    head, body = (text[: end.start()], text[end.end() :]) if end else (text, "")
    first, *rest = [line.removeprefix("> ") for line in head.splitlines() if not line.startswith("* ")] or [""]
    method, _, target = first.partition(" ")
    if not re.fullmatch("[A-Z]+", method) or not target:
        return Unread("1", "neither JSON nor curl nor an HTTP message, which begins with `POST /path HTTP/1.1`")
    headers = _told((name, value) for name, _, value in (line.partition(":") for line in rest))
    target = target.removesuffix(" ").rpartition(" HTTP/")[0] or target.partition(" ")[0]
    if target.startswith("/") and not headers.get("host"):
        return Unread("1", "an HTTP message without a Host header, so its URL is not known")
    return Captured(_absolute(target, headers), "1", method, headers, _sent(body, headers.get("content-length", "")))


def _sent(body: str, length: str) -> str:
    """As long as the message says; else without the line end that an editor adds."""
    raw = body.encode("utf-8", "surrogateescape")
    if length.isdecimal() and int(length[:9]) <= len(raw):
        return raw[: int(length[:9])].decode("utf-8", "surrogateescape")
    return body.removesuffix("\n").removesuffix("\r")


# A shell's words: quotes of three kinds, what a backslash escapes, and the rest, of which only the ends matter here.
_SHELL = re.compile(
    r"""\$'(?P<ansi>(?:[^'\\]|\\.)*)'
    | (?P<kept>'[^']*' | "(?:[^"\\]|\\.)*" | \\[^\r\n])
    | \\\r?\n
    | (?P<end>\r?\n | [;|&>](?=[;|&>\s]))""",
    re.DOTALL | re.VERBOSE,
)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


def _commands(text: str) -> Iterator[str]:
    """The curl commands of a script, in what `shlex` understands: it knows no `$'…'` and no end of a command."""
    commands = (each.strip().removeprefix("$ ") for each in _SHELL.sub(_plain, text).split("\0"))
    yield from (command for command in commands if command == "curl" or command.startswith("curl "))


def _plain(found: "re.Match[str]") -> str:
    if found["ansi"] is not None:
        return shlex.quote(_unescaped(found["ansi"]))
    return found["kept"] or ("\0" if found["end"] else "")


def _unescaped(text: str) -> str:
    """What `$'…'` means. https://www.gnu.org/software/bash/manual/html_node/ANSI_002dC-Quoting.html"""
    raw = re.sub(r"(?:\\x[0-9A-Fa-f]{1,2}|\\[0-7]{1,3})+", _bytes, text)
    return re.sub(r"\\(?:u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|(.))", _character, raw, flags=re.S)


def _bytes(found: "re.Match[str]") -> str:
    parts = found[0].split("\\")[1:]
    raw = bytes(int(part[1:], 16) if part.startswith("x") else int(part, 8) & 0xFF for part in parts)
    return raw.decode("utf-8", "surrogateescape").replace("\\", "\\\\")


def _character(found: "re.Match[str]") -> str:
    code = found[1] or found[2]
    return chr(int(code, 16) % 0x110000) if code else _LETTERS.get(found[3], found[3])


_DATA = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"})
_SHORT_WITH_VALUE = frozenset("AbcCdDeEFHKmoPQrtTuUwxXyYz")
_LONG_WITH_VALUE = frozenset({
    "--abstract-unix-socket", "--aws-sigv4", "--cacert", "--capath", "--cert", "--cert-type", "--ciphers", "--config",
    "--connect-timeout", "--connect-to", "--continue-at", "--cookie", "--cookie-jar", "--crlfile", "--curves",
    "--data", "--data-ascii", "--data-binary", "--data-raw", "--data-urlencode", "--dns-servers", "--dump-header",
    "--engine", "--expect100-timeout", "--form", "--form-string", "--header", "--hostpubmd5", "--interface", "--json",
    "--keepalive-time", "--key", "--key-type", "--limit-rate", "--local-port", "--max-filesize", "--max-redirs",
    "--max-time", "--netrc-file", "--noproxy", "--oauth2-bearer", "--output", "--output-dir", "--pass",
    "--pinnedpubkey", "--preproxy", "--proto", "--proxy", "--proxy-header", "--proxy-user", "--range", "--rate",
    "--referer", "--request", "--request-target", "--resolve", "--retry", "--retry-delay", "--retry-max-time",
    "--socks5", "--socks5-hostname", "--speed-limit", "--speed-time", "--stderr", "--tls-max", "--tls13-ciphers",
    "--trace", "--trace-ascii", "--unix-socket", "--upload-file", "--url", "--url-query", "--user", "--user-agent",
    "--variable", "--write-out",
})  # fmt: skip
"""Options that take the next word, which is no URL then. https://curl.se/docs/manpage.html"""


def _options(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(option, value) of each; the URL that stands for itself is that of `--url`."""
    following = iter(words)
    for word in following:
        if word in _LONG_WITH_VALUE:
            yield word, next(following, "")
        elif word.startswith("--") or not word.startswith("-") or word == "-":
            yield (word, "") if word.startswith("-") else ("--url", word)
        else:
            yield from _short(word[1:], following)


def _short(letters: str, following: Iterator[str]) -> Iterator[tuple[str, str]]:
    """`-sSXPOST`: flags, then perhaps one that takes the rest of the word or the next word."""
    for at, letter in enumerate(letters):
        if letter in _SHORT_WITH_VALUE:
            yield f"-{letter}", letters[at + 1 :] or next(following, "")
            return
        yield f"-{letter}", ""


def _curl(command: str, number: str) -> Captured | Unread:
    try:
        given = list(_options(shlex.split(command)[1:]))
    except ValueError as error:
        return Unread(number, f"a curl command with {error}")
    told = dict(reversed(given))  # the first of several
    data = [(option, value) for option, value in given if option in _DATA or option == "--data-urlencode"]
    if not told.get("--url"):
        return Unread(number, "a curl command without a URL")
    if any(value.startswith("@") for option, value in data if option != "--data-raw"):
        return Unread(number, "a curl command whose body is in a file")
    url = told["--url"] if "://" in told["--url"] else f"http://{told['--url']}"
    body = ("" if "--json" in told else "&").join(map(_sent_as, data))
    if in_query := not told.keys().isdisjoint(("-G", "--get")):
        url, body = f"{url}{'&' if '?' in url else '?'}{body}" if body else url, ""
    headers = [value.partition(":")[::2] for option, value in given if option in ("-H", "--header") and ":" in value]
    if body:
        headers.append(("content-type", "application/json" if "--json" in told else _FORM))
    method = told.get("-X") or told.get("--request") or ("POST" if data and not in_query else "GET")
    return Captured(url, number, method.upper(), _told(headers), body)


def _sent_as(data: tuple[str, str]) -> str:
    """`name=content`, `=content` or `content`: where curl encodes, only the content."""
    option, value = data
    if option != "--data-urlencode":
        return value
    name, equals, content = value.partition("=") if "=" in value else ("", "", value)
    return f"{name}{equals if name else ''}{quote(content, safe='')}"
