"""Other forms: what the parameters may have been when they were signed, where we see something else. Pure.

Usual changes come first and several at once last, so a reader who stops early has seen what happens most. There are
a quarter of a million at most for one form, of which each is one text to sign.
"""

import html
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, combinations, islice, product
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from ingest.explain.hints import Hint
from ingest.signature import canonical
from ingest.webhooks import KINDS

Pairs = Sequence[tuple[str, str]]
Change = Callable[[str], str]


class Form(NamedTuple):
    """What is signed after the URL. `told` is what was done, then the names it was done to: never a value.
    `pairs` are given where more may have been done to them."""

    hints: tuple[Hint, ...]
    tail: str
    told: tuple[str, ...] = ()
    pairs: Pairs = ()

    @property
    def detail(self) -> str:
        return f"{self.told[0]} {', '.join(self.told[1:])}".strip() if self.told else ""


class Tail:
    """The signed text of a form, cut where its parameters begin: thousands of variants are made of the pieces."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = sorted(set(pairs))
        self.text = canonical("", self.pairs)
        self._starts = list(accumulate((len(name) + len(value) for name, value in self.pairs), initial=0))

    def with_empty(self, names: Iterable[str]) -> str:
        pieces: list[str] = []
        at = 0
        for name in sorted(names):
            start = self._starts[bisect_left(self.pairs, (name, ""))]
            pieces += (self.text[at:start], name)
            at = start
        return "".join((*pieces, self.text[at:]))

    def with_values(self, changed: Mapping[int, str]) -> str:
        """By the places of the parameters in order; a name that is repeated keeps its order."""
        pieces: list[str] = []
        at = 0
        for place, value in sorted(changed.items()):
            pieces += (self.text[at : self._starts[place]], self.pairs[place][0], value)
            at = self._starts[place + 1]
        return "".join((*pieces, self.text[at:]))


_ROLES = ("From", "To")
_MIRRORS = {"From": "Caller", "To": "Called"}
_PARTS = ("City", "State", "Zip", "Country")
_PLACES = tuple(role + part for role in _ROLES for part in _PARTS)
_MIRROR_OF: Mapping[str, str] = {role + part: mirror + part for role, mirror in _MIRRORS.items() for part in _PARTS}
# What the provider sends without a value most often, first: https://www.twilio.com/docs/usage/webhooks
_OFTEN = (
    "Body", "MessagingServiceSid", "Digits", "SpeechResult", "To", "From", "ForwardedFrom", "CallerName",
    "ErrorMessage", "FinishedOnKey", "Caller", "Called", "ErrorCode", "OptOutType", "ProfileName", "ButtonText",
    "ButtonPayload", "AddOns", "RecordingUrl", "CallToken", "StirVerstat", "ParentCallSid",
)  # fmt: skip
_SIDS = frozenset({"MessageSid", "CallSid", "RecordingSid", "ConferenceSid", "TranscriptionSid"})


def other_forms(pairs: Pairs, in_query: Pairs) -> Iterator[Form]:
    """The parameters as they are seen, then others. `in_query` are those of the URL."""
    tail = Tail(pairs)
    yield Form((), tail.text)
    yield from _altogether(tail, in_query)
    absent = _Absent.of(pairs)
    yield from _recoded_whole(tail)
    yield from islice(_not_signed(tail), 16)
    yield from islice(_trimmed(tail, _USUAL_ENDS), 200)
    yield from _without(tail, absent.usual())
    yield from _recoded(tail)
    yield from _several_trimmed(tail)
    yield from islice(_not_signed(tail), 1_100)
    yield from _without(tail, absent.places())
    yield from _twice(tail, absent)
    yield from islice(_trimmed(tail, _ENDS), 8 * len(_ENDS))
    yield from _two_trimmed(tail)
    yield from _without(tail, absent.many())


def _without(tail: Tail, names: Iterable[tuple[str, ...]]) -> Iterator[Form]:
    for some in names:
        yield Form((Hint.EMPTY_PARAMETER_DROPPED,), tail.with_empty(some), ("with empty", *some))


class _Absent(NamedTuple):
    """Names that may have been dropped: of places, which are often empty together, and single ones, usual first."""

    role_places: tuple[str, ...]
    mirror_places: tuple[str, ...]
    singles: tuple[str, ...]

    @classmethod
    def of(cls, pairs: Pairs) -> "_Absent":
        names = {name for name, _ in pairs}
        told = names & _SIDS
        fitting = [table.fields for table in KINDS.values() if told <= set(table.fields)] or [
            table.fields for table in KINDS.values()
        ]
        singles = dict.fromkeys([*_OFTEN, *chain.from_iterable(fitting)])
        mirrors = () if "MessageSid" in names else tuple(_MIRROR_OF.values())
        return cls(
            tuple(name for name in _PLACES if name not in names),
            tuple(name for name in mirrors if name not in names),
            tuple(name for name in singles if name not in names),
        )

    def usual(self) -> Iterator[tuple[str, ...]]:
        """All places, those of one side, each name for itself, and those often empty beside groups of places."""
        groups = list(self._groups())
        yield from groups
        yield from ((*group, name) for group in groups[:1] for name in self.singles[:8])
        yield from ((name,) for name in (*self.role_places, *self.mirror_places, *self.singles[:24]))
        yield from ((*group, name) for name in self.singles[:24] for group in groups)
        yield from ((name,) for name in self.singles[24:])
        yield from ((*group, *pair) for pair in combinations(self.singles[:10], 2) for group in ((), *groups))

    def places(self) -> Iterator[tuple[str, ...]]:
        """Every choice of places, with and without their mirrors."""
        for some in _choices(self.role_places):
            yield some
            if mirrors := tuple(_MIRROR_OF[name] for name in some if _MIRROR_OF[name] in self.mirror_places):
                yield (*some, *mirrors)

    def many(self) -> Iterator[tuple[str, ...]]:
        """Single names in pairs, also beside whole groups of places, and a few of them beside every choice."""
        yield from combinations((*self.singles, *self.role_places, *self.mirror_places), 2)
        yield from combinations((*self.role_places, *self.mirror_places, *self.singles[:24]), 3)
        yield from ((*some, name) for name in self.singles[:24] for some in self.places())
        yield from ((*some, *pair) for pair in combinations(self.singles[:7], 2) for some in self.places())
        yield from ((*group, *pair) for group in self._groups() for pair in combinations(self.singles, 2))
        yield from (
            (*some, *mirrors) for mirrors in _choices(self.mirror_places) for some in ((), *_choices(self.role_places))
        )

    def _groups(self) -> Iterator[tuple[str, ...]]:
        sides = [tuple(n for n in self.role_places if n.startswith(role)) for role in _ROLES]
        mirrors = [tuple(_MIRROR_OF[n] for n in side if _MIRROR_OF[n] in self.mirror_places) for side in sides]
        groups = (
            self.role_places, (*self.role_places, *self.mirror_places), *sides,
            *((*side, *mirror) for side, mirror in zip(sides, mirrors, strict=True)), self.mirror_places, *mirrors,
        )  # fmt: skip
        yield from dict.fromkeys(filter(None, groups))


def _choices(some: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Each choice of some of these, the fewest first."""
    return chain.from_iterable(combinations(some, count) for count in range(1, len(some) + 1))


def _not_signed(tail: Tail) -> Iterator[Form]:
    """Empty parameters that are there and were not signed: all, then each choice, the fewest first."""
    empty = [pair for pair in tail.pairs if not pair[1]]
    for some in dict.fromkeys([tuple(empty), *islice(_choices(empty), 1_100)]) if empty else ():
        rest = [pair for pair in tail.pairs if pair not in some]
        yield Form(
            (Hint.EMPTY_PARAMETER_ADDED,), canonical("", rest), ("without empty", *(name for name, _ in some)), rest
        )


# White space that was cut: before and after a value.
_USUAL_ENDS = (
    ("", " "), (" ", ""), ("", "\n"), ("", "\r\n"), (" ", " "), ("", "  "), ("", "\t"), ("\n", ""), ("  ", ""),
    ("", "\n\n"), (" ", "\n"), ("", " \n"), ("", "\xa0"), ("\t", ""), ("\r\n", ""), ("\n", "\n"), ("\xa0", ""),
)  # fmt: skip
_PLAIN = (" ", "\n", "\r\n", "\t")
_WIDE = ("\xa0", "\u3000", "\u202f", "\u2003", "\u2009", "\u200b", "\ufeff", "\u2028", "\r", "\v", "\f", "\x85")
_RUNS = (
    "", *_PLAIN, *map("".join, product(_PLAIN, repeat=2)), *map("".join, product(" \n", repeat=3)), " " * 4, " " * 5,
    *_WIDE,
)  # fmt: skip
_ENDS = tuple((before, after) for before in _RUNS for after in _RUNS if before or after)
_FEW_ENDS = (("", " "), (" ", ""), (" ", " "), ("", "\n"), ("", "\r\n"), ("", "\t"))
_WRITTEN = frozenset({
    "Body", "SpeechResult", "TranscriptionText", "ProfileName", "ButtonText", "FriendlyName", "CallerName", "Label",
})  # fmt: skip
_NOT_WRITTEN = re.compile(r"[A-Z]{2}[0-9a-f]{32}|\+?[0-9.:-]+|https?://\S+|[a-z]+-?[a-z]*")
"""SIDs, numbers, URLs and statuses: the provider makes them, without white space around."""


def _trimmed(tail: Tail, ends: Iterable[tuple[str, str]]) -> Iterator[Form]:
    for place, (before, after) in product(_by_whom(tail), ends):
        name, value = tail.pairs[place]
        yield Form((Hint.VALUE_TRIMMED,), tail.with_values({place: before + value + after}), ("parameter", name))


def _by_whom(tail: Tail) -> list[int]:
    """The places of the parameters: those that people write first, those without a value last."""
    return sorted(range(len(tail.pairs)), key=lambda at: _by_people(*tail.pairs[at]))


def _by_people(name: str, value: str) -> int:
    """0 for what people write, 1 for what looks like it."""
    if name in _WRITTEN:
        return 0
    return (2 if _NOT_WRITTEN.fullmatch(value) else 1) if value else 3


def _several_trimmed(tail: Tail) -> Iterator[Form]:
    """Of those that people write: each choice alike, as frameworks do it; then two that differ."""
    written = [at for at in _by_whom(tail) if _by_people(*tail.pairs[at]) < 2]
    for some in (*_choices(written[:6]), written):
        yield from _all_trimmed(tail, some, ((each,) * len(some) for each in _FEW_ENDS))
    for some in combinations(written[:4], 2):
        yield from _all_trimmed(tail, some, product(_USUAL_ENDS, repeat=2))


def _two_trimmed(tail: Tail) -> Iterator[Form]:
    """Any two; three that people write; and all there are."""
    places = _by_whom(tail)
    for two in combinations(places[:20], 2):
        yield from _all_trimmed(tail, two, product(_FEW_ENDS, repeat=2))
    for three in combinations(places[:6], 3):
        yield from _all_trimmed(tail, three, product(_FEW_ENDS[:4], repeat=3))
    yield from _all_trimmed(tail, places, ((each,) * len(places) for each in _FEW_ENDS))


def _all_trimmed(tail: Tail, places: Sequence[int], ends: Iterable[Sequence[tuple[str, str]]]) -> Iterator[Form]:
    told = ("parameters", *(tail.pairs[at][0] for at in places))
    for each in ends:
        values = {at: before + tail.pairs[at][1] + after for at, (before, after) in zip(places, each, strict=True)}
        pairs = [(name, values.get(at, value)) for at, (name, value) in enumerate(tail.pairs)]
        yield Form((Hint.VALUE_TRIMMED,), tail.with_values(values), told, pairs)


def _twice(tail: Tail, absent: _Absent) -> Iterator[Form]:
    """One usual change after another, of those that frameworks make at once."""
    whole = [*_recoded_whole(tail), *islice(_not_signed(tail), 32)]
    for at, first in enumerate((*whole, *islice(_several_trimmed(tail), 1_800))):
        other = Tail(first.pairs)
        dropped = islice(absent.usual(), next(count for end, count in _DROPPED_AFTER if at < len(whole) + end))
        trimmed = islice(_several_trimmed(other), 1_200) if at < len(whole) else ()
        added = islice(_not_signed(other), 32 if at < len(whole) + 200 else 1)
        seconds = (_without(other, dropped), added, _recoded_whole(other), trimmed)
        for second in chain.from_iterable(seconds):
            hints = tuple(sorted({*first.hints, *second.hints}, key=_ORDER.__getitem__))
            yield Form(hints, second.tail, (f"{first.detail}; {second.told[0]}", *second.told[1:]))
    both = (Hint.EMPTY_PARAMETER_DROPPED, Hint.VALUE_TRIMMED)
    for name, space in product(absent.singles[:24], (" ", "\n", "\r\n", "  ")):
        yield Form(both, canonical("", [*tail.pairs, (name, space)]), ("with blank", name))


# The less usual the first change is, the fewer names may have been dropped after it: (up to which first, how many).
_DROPPED_AFTER = ((24, 800), (200, 200), (1_800, 24))
_ORDER: Mapping[Hint, int] = {hint: at for at, hint in enumerate(Hint)}
_RECODED: Sequence[tuple[Hint, Change]] = (
    (Hint.PLUS_DECODED, lambda value: value.replace(" ", "+")),
    (Hint.PLUS_DECODED, lambda value: value.replace("+", " ")),
    (Hint.PLUS_DECODED, lambda value: re.sub(r"^ ?(?=[0-9]{5})", "+", value)),
    (Hint.PLUS_DECODED, unquote),
    (Hint.PLUS_DECODED, unquote_plus),
    (Hint.PLUS_DECODED, lambda value: quote(value, safe="")),
    (Hint.PLUS_DECODED, quote_plus),
    (Hint.NEWLINES_CHANGED, lambda value: value.replace("\r\n", "\n")),
    (Hint.NEWLINES_CHANGED, lambda value: value.replace("\r\n", "\n").replace("\n", "\r\n")),
    (Hint.NEWLINES_CHANGED, lambda value: value.replace("\r\n", "\n").replace("\n", "\r")),
    (Hint.NEWLINES_CHANGED, lambda value: value.replace("\r\n", "\n").replace("\r", "\n")),
    (Hint.BODY_ALTERED, lambda value: value.removesuffix("\n").removesuffix("\r")),
    (Hint.BODY_ALTERED, lambda value: unicodedata.normalize("NFC", value)),
    (Hint.BODY_ALTERED, lambda value: unicodedata.normalize("NFD", value)),
    (Hint.BODY_ALTERED, html.unescape),
    (Hint.BODY_ALTERED, html.escape),
    (Hint.BODY_ALTERED, lambda value: _read_as(value, "latin-1", "utf-8")),
    (Hint.BODY_ALTERED, lambda value: _read_as(value, "cp1252", "utf-8")),
    (Hint.BODY_ALTERED, lambda value: _read_as(value, "utf-8", "latin-1")),
)


def _read_as(value: str, written: str, read: str) -> str:
    try:
        return value.encode(written).decode(read)
    except UnicodeError:
        return value


def _recoded_whole(tail: Tail) -> Iterator[Form]:
    for hint, changed in _changes(tail):
        pairs = [(name, changed.get(at, value)) for at, (name, value) in enumerate(tail.pairs)]
        told = ("parameter", *(tail.pairs[at][0] for at in changed))
        yield Form((hint,), tail.with_values(changed), told, pairs)


def _recoded(tail: Tail) -> Iterator[Form]:
    """In each choice of few of the values that a change would change."""
    for hint, changed in _changes(tail):
        for some in islice(_choices(tuple(changed)), 64):
            told = ("parameter", *(tail.pairs[at][0] for at in some))
            yield Form((hint,), tail.with_values({at: changed[at] for at in some}), told)


def _changes(tail: Tail) -> Iterator[tuple[Hint, Mapping[int, str]]]:
    for hint, change in _RECODED:
        changed = {at: other for at, (_, value) in enumerate(tail.pairs) if (other := change(value)) != value}
        if changed:
            yield hint, changed


def _altogether(tail: Tail, in_query: Pairs) -> Iterator[Form]:
    """What is done to the form as a whole."""
    merged = (Hint.QUERY_MERGED,)
    if in_query:
        yield Form(merged, canonical("", [*tail.pairs, *in_query]), ("with the query's parameters",))
        rest = [pair for pair in tail.pairs if pair not in in_query]
        yield Form(merged, canonical("", rest), ("without the query's parameters",))
    if tail.pairs:
        yield Form((Hint.PARAMETERS_NOT_SIGNED,), "", ("the URL alone",))
