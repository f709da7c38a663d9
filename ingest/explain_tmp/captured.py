"""Captured requests: what a person saved of a webhook, read back. Pure.

Three spellings: a JSON object `{id, method, url, headers, body}` or lines of them; a `curl` command; a raw HTTP
message, also with the `> ` of `curl -v`.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

_DATA_OPTIONS = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii"})
_FLAGS_WITH_VALUE = frozenset({"-o", "--output", "-A", "--user-agent", "-u", "--user", "--max-time", "-m"})


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


def read(text: str) -> Sequence[Captured]:
    """All requests of a file. Raises Uncaptured."""
    stripped = text.strip()
    if not stripped:
        raise Uncaptured("there is nothing in it")
    if stripped.startswith("{"):
        return _json(stripped)
    if stripped.startswith("curl "):
        return [_curl(stripped)]
    return [_message(text.lstrip())]


def _json(text: str) -> Sequence[Captured]:
    try:
        return [_object(orjson.loads(text), "1")]
    except orjson.JSONDecodeError:
        pass  # lines of objects, perhaps
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(_object(orjson.loads(line), str(number)))
            except orjson.JSONDecodeError:
                raise Uncaptured(f"line {number} is not JSON") from None
    return found


def _object(said: object, name: str) -> Captured:
    if not isinstance(said, dict) or not isinstance(said.get("url"), str):
        raise Uncaptured(f"request {name} is no object with a `url`")
    headers = said.get("headers") or {}
    if not isinstance(headers, dict) or not isinstance(said.get("body") or "", str):
        raise Uncaptured(f"request {name}: `headers` is an object and `body` a text")
    return Captured(
        said["url"],
        str(said.get("id", name)),
        str(said.get("method", "POST")).upper(),
        {str(key).lower(): str(value) for key, value in headers.items()},
        said.get("body") or "",
    )


def _curl(text: str) -> Captured:
    try:
        words = shlex.split(text.replace("\\\n", " "))[1:]
    except ValueError as error:
        raise Uncaptured(f"a curl command with {error}") from None
    url, method, headers, data = "", "", {}, list[str]()
    following = iter(words)
    for word in following:
        if word in ("-X", "--request"):
            method = next(following, "")
        elif word in ("-H", "--header"):
            name, _, value = next(following, "").partition(":")
            headers[name.strip().lower()] = value.strip()
        elif word in _DATA_OPTIONS:
            data.append(next(following, ""))
        elif word in _FLAGS_WITH_VALUE:
            next(following, "")
        elif word == "--url" or not word.startswith("-"):
            url = next(following, "") if word == "--url" else word
    if not url:
        raise Uncaptured("a curl command without a URL")
    return Captured(url, "1", method.upper() or ("POST" if data else "GET"), headers, "&".join(data))


def _message(text: str) -> Captured:
    """`METHOD target HTTP/1.1`, headers, an empty line, the body."""
    lines = [line.removeprefix("> ") for line in text.replace("\r\n", "\n").split("\n")]
    method, _, rest = lines[0].partition(" ")
    target = rest.partition(" ")[0]
    if not method.isupper() or not target:
        raise Uncaptured("neither JSON nor a curl command nor an HTTP message, which begins with `POST /path HTTP/1.1`")
    end = next((at for at, line in enumerate(lines) if line in ("", ">")), len(lines))
    headers = {}
    for line in lines[1:end]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if target.startswith("/"):
        if not headers.get("host"):
            raise Uncaptured("an HTTP message without a Host header, so its URL is not known")
        target = f"{headers.get('x-forwarded-proto', 'https')}://{headers['host']}{target}"
    body = "\n".join(lines[end + 1 :])
    return Captured(target, "1", method, headers, body.removesuffix("\n"))
