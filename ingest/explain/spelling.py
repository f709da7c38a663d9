"""Spelling: the ways in which one URL is written, which decode to the same and are signed differently. Pure.

https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2, https://url.spec.whatwg.org/#urlencoded-serializing
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, permutations, product
from typing import NamedTuple

MOST = 3_000
"""Spellings of one query at most."""

_PIECE = re.compile(r"(?:%[0-9A-Fa-f]{2})+|.", re.DOTALL)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("-._~")


class _Atom(NamedTuple):
    """A character of a URL as it is seen, and how else it may have been written."""

    seen: str
    others: tuple[str, ...] = ()


def query_spellings(query: str) -> Iterator[str]:
    """The ways to write a query, with its question mark: a bare one is lost, too, or added."""
    if len(query) < 2:
        yield "" if query else "?"
        return
    yield from islice(dict.fromkeys(f"?{each}" for each in islice(_queries(query[1:]), 3 * MOST)), MOST)


def path_spellings(path: str) -> Sequence[str]:
    return list(dict.fromkeys(islice(_encodings(list(_atoms(path, is_path=True))), 200)))


def _queries(query: str) -> Iterator[str]:
    atoms = list(_atoms(query, is_path=False))
    encoded = list(islice(dict.fromkeys(_encodings(atoms)), MOST))
    yield from encoded[:64]
    yield from (spelt for each in encoded[:16] for spelt in _blanks(each))
    yield from (spelt for each in encoded[:24] for spelt in _orders(each))
    yield from encoded[64:]
    yield query.replace("%25", "%")
    yield query.replace("%", "%25")


def _atoms(text: str, *, is_path: bool) -> Iterator[_Atom]:
    in_value = is_path
    for piece in _PIECE.findall(text):
        if len(piece) >= 3:
            yield from _escaped(piece, is_path=is_path)
        elif piece in ("/" if is_path else "&") or (piece == "=" and not in_value):
            in_value = is_path or piece == "="
            yield _Atom(piece)
        else:
            yield _Atom(piece, _others(piece, is_path=is_path))


def _escaped(token: str, *, is_path: bool) -> Iterator[_Atom]:
    """The characters of a run of escapes; one that is not UTF-8 stays as it is."""
    try:
        characters = bytes.fromhex(token.replace("%", "")).decode()
    except UnicodeDecodeError:
        yield _Atom(token)
        return
    for character in characters:
        length = 3 * len(character.encode())
        seen, token = token[:length], token[length:]
        others = [_percent(character)]
        if character == " ":
            others = [*others, *(() if is_path else ("+",))]
        elif character.isprintable() and character not in ("&#%?" if is_path else "&#%"):
            others.append(character)
        yield _Atom(seen, tuple(other for other in others if other != seen))


def _others(character: str, *, is_path: bool) -> tuple[str, ...]:
    """How else a character that is seen as itself may have been written."""
    if character == "+" and not is_path:
        return ("%20", "%2B")
    if character == " " and not is_path:
        return ("%20", "+")
    return () if character.isalnum() and character.isascii() else (_percent(character),)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _encodings(atoms: Sequence[_Atom]) -> Iterator[str]:
    """All of a kind alike, as encoders do it; then, where they are few, each for itself. The escapes of both in either
    case."""
    choices: dict[str, dict[str | None, None]] = {}
    for atom in atoms:
        if atom.others:
            choices.setdefault(atom.seen, {None: None}).update(dict.fromkeys(atom.others))
    # The last of a product changes first: what is seldom escaped comes first.
    kinds = sorted(choices, key=lambda seen: seen not in _UNRESERVED)
    for choice in islice(product(*(choices[kind] for kind in kinds)), MOST):
        yield from _cases(_written(atoms, dict(zip(kinds, choice, strict=True))))
    spellings = [(atom.seen, *atom.others) for atom in atoms]
    if sum(len(each) > 1 for each in spellings) <= 12:
        yield from ("".join(chosen) for chosen in islice(product(*spellings), MOST))


def _written(atoms: Iterable[_Atom], choice: Mapping[str, str | None]) -> str:
    return "".join(choice.get(atom.seen) or atom.seen for atom in atoms)


def _cases(text: str) -> Iterator[str]:
    yield text
    if "%" in text:
        yield _ESCAPE.sub(lambda found: found[0].upper(), text)
        yield _ESCAPE.sub(lambda found: found[0].lower(), text)


def _blanks(query: str) -> Iterator[str]:
    """`a` for `a=` and the reverse, in all of few."""
    parts = query.split("&")
    blank = [at for at, part in enumerate(parts) if part and "=" not in part.removesuffix("=")]
    for choice in islice(product(("", "="), repeat=len(blank)), 64) if blank else ():
        other = list(parts)
        for at, end in zip(blank, choice, strict=True):
            other[at] = parts[at].removesuffix("=") + end
        yield "&".join(other)


def _orders(query: str) -> Iterator[str]:
    """Every order of few; of many, the usual ones and those with one part in another place."""
    parts = query.split("&")
    if len(parts) <= 5:
        yield from ("&".join(order) for order in permutations(parts))
        return
    yield "&".join(sorted(parts))
    yield "&".join(reversed(parts))
    for at, to in permutations(range(len(parts)), 2):
        rest = [*parts[:at], *parts[at + 1 :]]
        yield "&".join([*rest[:to], parts[at], *rest[to:]])
