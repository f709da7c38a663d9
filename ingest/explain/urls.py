"""Other URLs: what the provider may have called, where we see something else. Pure.

A URL has five parts that change on the way, each with its usual alternatives. An alternative has a rank, from 1 for
what is seen; that of a whole URL is the product of its parts', so the less usual a change is, the fewer others are
tried with it, and the number of URLs is bounded by the highest rank.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

from ingest.explain.hints import Hint
from ingest.explain.spelling import path_spellings, query_spellings

HIGHEST_RANK = 4_000
PORTS = range(1, 65_536)

_URL = re.compile(
    r"([A-Za-z]+)://(?:([^/?#]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]\s]+)(?::([0-9]{0,5}))?([^?#]*)(\?.*)?", re.DOTALL
)
_DEFAULT_PORTS: Mapping[str, str] = {"http": "80", "ws": "80", "https": "443", "wss": "443"}
_OTHER_SCHEMES: Mapping[str, Sequence[str]] = {
    "http": ("https", "wss"), "https": ("http", "wss"), "ws": ("wss", "https"), "wss": ("https", "ws"),
}  # fmt: skip
_USUAL_PORTS = ("8443", "8080", "443", "80", "3000", "5000", "8000", "4443", "8888", "9443", "9000", "8081", "4040")
_HOST_HEADERS = ("x-forwarded-host", "x-original-host", "host")
_TARGET_HEADERS = ("x-original-uri", "x-original-url", "x-forwarded-uri", "x-rewrite-url")


class Option(NamedTuple):
    """One alternative of a part of a URL; no hint where it is what is seen, or what the verifier tries anyway."""

    rank: int
    hint: Hint | None
    text: str


class Other(NamedTuple):
    rank: int
    hints: tuple[Hint, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Parts:
    """A URL byte for byte: the pieces, joined, are what was read. `query` has its question mark."""

    scheme: str
    userinfo: str | None
    host: str
    port: str
    path: str
    query: str


def split(url: str) -> Parts | None:
    """None for what is no absolute URL of a host."""
    found = _URL.fullmatch(url)
    if not found or found[1].lower() not in _DEFAULT_PORTS or (found[5] and not found[5].startswith("/")):
        return None
    return Parts(found[1], found[2], found[3], found[4] or "", found[5], found[6] or "")


def other_urls(parts: Parts, headers: Mapping[str, str], bases: Sequence[str], queries: Sequence[str]) -> list[Other]:
    """The URL as it is seen and the others, lowest rank first. `bases` are public bases that are known otherwise, and
    `queries` queries that the provider would have made for this body."""
    told = list(_authorities(headers, bases))
    targets = [target for name in _TARGET_HEADERS if (target := _target(headers.get(name, "")))]
    options: tuple[list[Option], ...] = (
        _schemes(parts.scheme),
        _ranked(parts.host, [(Hint.HOST, host) for host in _hosts(parts.host, told)], 4),
        _ranked(parts.path, _paths(parts.path, [path for path, _ in targets]), 4),
        _ranked(parts.query, _queries(parts.query, [*queries, *(query for _, query in targets)]), 4),
    )
    told_ports = [port for _, port in told if port]
    found: dict[str, Other] = {}
    for rank, (scheme, host, path, query) in together(HIGHEST_RANK, *options):
        for port in _ports(parts, scheme.text, [headers.get("x-forwarded-port", ""), *told_ports]):
            whole = rank * port.rank
            if whole > HIGHEST_RANK:
                break
            hints = tuple(each.hint for each in (scheme, host, port, path, query) if each.hint)
            for userinfo in ("",) if parts.userinfo is None else ("", f"{parts.userinfo}@"):
                url = _joined(scheme.text, userinfo + host.text, port.text, path.text + query.text)
                if url not in found or (len(hints), whole) < (len(found[url].hints), found[url].rank):
                    found[url] = Other(whole, hints, url)
    return sorted(found.values())


def every_port(others: Iterable[Other]) -> Iterator[Other]:
    """The last resort: each of a few URLs with every port there is."""
    for rank, hints, url in others:
        its = split(url)
        if its is not None and not its.port:
            before, after = _joined(its.scheme, its.host, "", ""), its.path + its.query
            told = tuple(sorted({*hints, Hint.PORT}, key=list(Hint).index))
            yield from (Other(rank, told, f"{before}:{port}{after}") for port in PORTS)


def together(limit: int, first: Sequence[Option], *rest: Sequence[Option]) -> Iterator[tuple[int, tuple[Option, ...]]]:
    """Every choice of one option each whose ranks, multiplied, are within the limit. Options are in order of rank."""
    for option in first:
        if option.rank > limit:
            break
        if not rest:
            yield option.rank, (option,)
            continue
        for rank, others in together(limit // option.rank, *rest):
            yield option.rank * rank, (option, *others)


def _ranked(seen: str, others: Iterable[tuple[Hint, str]], lowest: int) -> list[Option]:
    """What is seen is 1, the others `lowest` and on, each text once."""
    different: dict[str, Hint] = {}
    for hint, text in others:
        if text != seen:
            different.setdefault(text, hint)
    return [Option(1, None, seen), *(Option(lowest + at, different[text], text) for at, text in enumerate(different))]


def _schemes(seen: str) -> list[Option]:
    others = (seen.lower(), *_OTHER_SCHEMES[seen.lower()])
    return _ranked(seen, [(Hint.SCHEME, scheme) for scheme in others], 3)


def _hosts(seen: str, told: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (host for host, _ in told)
    yield seen.lower()
    yield seen.rstrip(".")
    yield seen.removeprefix("www.") if seen.startswith("www.") else f"www.{seen}"


def _ports(seen: Parts, scheme: str, told: Sequence[str]) -> list[Option]:
    """The verifier itself tries the port as seen, none, and the default one; those are no news."""
    default = _DEFAULT_PORTS[scheme.lower()]
    is_default = seen.port in ("", _DEFAULT_PORTS[seen.scheme.lower()])
    anyway = dict.fromkeys([seen.port, "", *([default] if is_default else [])])
    others = [port for port in dict.fromkeys([*told, *_USUAL_PORTS]) if port and port not in anyway]
    return [
        *(Option(1, None, port) for port in anyway),
        *(Option(4 + at, Hint.PORT, port) for at, port in enumerate(others)),
    ]


def _paths(seen: str, told: Sequence[str]) -> Iterator[tuple[Hint, str]]:
    yield Hint.PATH_SLASH, seen.rstrip("/") if seen.endswith("/") else f"{seen}/"
    yield Hint.PATH_SLASH, seen.removesuffix("/") if seen.endswith("/") else f"{seen}/"
    yield from ((Hint.PATH, path) for path in told)
    yield Hint.PATH_SLASH, re.sub("/{2,}", "/", seen)
    yield from ((Hint.PATH_ENCODING, path) for path in path_spellings(seen))
    yield Hint.PATH_SLASH, f"/{seen}"
    yield Hint.PATH_SLASH, re.sub("(?<!^)/(?!$)", "//", seen)


def _queries(seen: str, told: Sequence[str]) -> Iterator[tuple[Hint, str]]:
    """With their question marks."""
    spelt = ((Hint.QUERY_ENCODING, query) for query in query_spellings(seen))
    yield from islice(spelt, 6)
    yield Hint.QUERY_LOST, ""
    yield from ((Hint.QUERY_LOST, query) for query in told)
    parts = seen.removeprefix("?").split("&")
    shorter = chain(
        (parts[:at] + parts[at + 1 :] for at in range(len(parts))),
        (parts[:at] for at in range(1, len(parts) - 1)),
        (parts[at:] for at in range(2, len(parts))),
        ([part for part in parts if part.partition("=")[2]],),
    )
    if len(parts) > 1:
        yield from ((Hint.QUERY_LOST, f"?{'&'.join(some)}") for some in shorter)
    yield from spelt


def _authorities(headers: Mapping[str, str], bases: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Hosts and their ports, as proxies tell them: the last value is what the nearest one vouches for."""
    for name in _HOST_HEADERS:
        yield from filter(None, map(_authority, reversed(headers.get(name, "").split(","))))
    for element in reversed(headers.get("forwarded", "").split(",")):
        for pair in element.split(";"):
            name, _, value = pair.strip().partition("=")
            if name.strip().lower() == "host" and (told := _authority(value.strip().strip('"'))):
                yield told
    yield from ((its.host, its.port) for its in map(split, bases) if its)


def _authority(text: str) -> tuple[str, str] | None:
    its = split(f"https://{text.strip()}")
    return (its.host, its.port) if its else None


def _target(text: str) -> tuple[str, str] | None:
    """The path and the query of a request target, also of one with its host."""
    its = split(text) or (split(f"https://h{text}") if text.startswith("/") else None)
    return (its.path, its.query) if its else None


def _joined(scheme: str, host: str, port: str, target: str) -> str:
    return f"{scheme}://{host}:{port}{target}" if port else f"{scheme}://{host}{target}"
