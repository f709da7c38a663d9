"""Source: YAML as plain values, each with its line. What YAML would guess, overwrite or blow up is refused.

A plain word is text unless it is `true`, `false`, `null` or a decimal number as JSON has it: in YAML 1.1 `NO` is false,
`+15550001111` and `0123` are numbers, and `12:30` is 750. https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 16
MAX_VALUES = 100_000
"""Counted with aliases written out: nine lines of them can stand for a billion values."""

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, twenty times as fast


class Problem(NamedTuple):
    """Something wrong, and its line where it has one."""

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


class Unusable(ValueError):
    """The text is no document that we take. `problems` are all that can be told of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Source(NamedTuple):
    value: object
    node: yaml.Node | None

    def line(self, place: Sequence[object]) -> int:
        """Where the thing stands, or the nearest that holds it: what is missing has no line of its own."""
        node, line = self.node, _line(self.node)
        for part in place:
            if isinstance(node, yaml.MappingNode):
                # The last, since what `<<` merges stands before what the mapping itself says.
                found = next(((k, v) for k, v in reversed(node.value) if k.value == str(part)), None)
                if found is None:
                    break
                line, node = _line(found[0]), found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = _line(node)
            else:
                break
        return line


def read(text: str) -> Source:
    """Raises Unusable."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Unusable([Problem(None, f"is larger than {MAX_BYTES:,} bytes")])
    try:
        _measure(text)
        loader = _Words(text)
        try:
            node = loader.get_single_node()
            twice = sorted(set(_twice(node)))
            if twice:
                raise Unusable(twice)
            return Source(None if node is None else loader.construct_document(node), node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        raise Unusable([Problem(mark.line + 1 if mark else None, f"not YAML: {said}")]) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise Unusable([Problem(None, "not YAML: it holds characters that no text has")]) from None


class _Words(_Loader):  # type: ignore[valid-type, misc]
    yaml_implicit_resolvers: Mapping[str, object] = {}  # filled below, and by nobody else


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"-?(0|[1-9][0-9]{0,17})", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}", list("-0123456789")),
    ("merge", "<<", ["<"]),
):
    _Words.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


class _Size(NamedTuple):
    values: int = 1
    depth: int = 0

    def around(self, child: "_Size") -> "_Size":
        return _Size(self.values + child.values, max(self.depth, child.depth + 1))


def _measure(text: str) -> None:
    """Before anything recurses into it. Raises Unusable for what is too deep, too much, or has tags of its own."""
    anchors: dict[str, _Size] = {}
    names: list[str | None] = []
    sizes = [_Size()]
    for event in yaml.parse(text, Loader=_Loader):
        line = (event.start_mark.line if event.start_mark else 0) + 1
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise Unusable([Problem(line, f"tags such as {tag} are not taken")])
        if isinstance(event, yaml.CollectionStartEvent):
            names.append(event.anchor)
            sizes.append(_Size())
        elif isinstance(event, yaml.CollectionEndEvent):
            _close(sizes, names.pop(), anchors)
        elif isinstance(event, yaml.AliasEvent):
            # One that is not complete yet is one within itself.
            if event.anchor not in anchors and event.anchor in names:
                raise Unusable([Problem(line, f"*{event.anchor} stands within &{event.anchor}, and would never end")])
            sizes[-1] = sizes[-1].around(anchors.get(event.anchor or "", _Size()))
        elif isinstance(event, yaml.ScalarEvent):
            sizes[-1] = sizes[-1].around(_Size())
            if event.anchor:
                anchors[event.anchor] = _Size()
        if len(sizes) + sizes[-1].depth > MAX_DEPTH:
            raise Unusable([Problem(line, f"is nested deeper than {MAX_DEPTH} levels")])
        if sizes[-1].values > MAX_VALUES:
            raise Unusable([Problem(line, f"has more than {MAX_VALUES:,} values, aliases counted as written out")])


def _close(sizes: list[_Size], anchor: str | None, anchors: dict[str, _Size]) -> None:
    size = sizes.pop()
    sizes[-1] = sizes[-1].around(size)
    if anchor:
        anchors[anchor] = size


def _twice(root: yaml.Node | None) -> Iterator[Problem]:
    """Keys that stand twice in one mapping: YAML would keep the last and say nothing."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                waiting.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in first:
                    yield Problem(_line(key), f"`{key.value}` stands here twice, first on line {first[key.value]}")
                first.setdefault(key.value, _line(key))


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else int(node.start_mark.line) + 1
