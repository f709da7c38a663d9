"""The table: a CSV file, read row after row, with the line of each. What cannot be read is told with its line."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sinks.acting.mistakes import Mistaken

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"(?:[a-z]+:)?\+?[(]?\d(?:[ ().-]*\d){6,14}")
LONGEST = 1 << 20
"""Bytes of a line."""


class Row(NamedTuple):
    """`line` is that on which it begins, `number` counts rows from 1."""

    line: int
    number: int
    cells: Sequence[str]


class Broken(NamedTuple):
    """What keeps the row that begins on a line from being read."""

    line: int
    said: str


def stamp(path: Path) -> tuple[int, int]:
    """What is another once the file has changed."""
    known = path.stat()
    return known.st_size, known.st_mtime_ns


def header(path: Path, delimiter: str) -> Sequence[str]:
    """The names of its columns. Raises Mistaken."""
    with path.open("rb") as file:
        if file.read(2) in _UTF16:
            raise Mistaken([f"{path}: is UTF-16: save it as UTF-8"])
    first = next(_cells(path, delimiter), None)
    if first is None or (not isinstance(first, Broken) and not any(first[1])):
        raise Mistaken([f"{path}: is empty: its first row names the columns"])
    if isinstance(first, Broken):
        raise Mistaken([f"{path}: line {first.line}: {first.said}"])
    names = [name.strip() for name in first[1]]
    if any(_NUMBER.fullmatch(name) for name in names):  # before any of them is told
        raise Mistaken([f"{path}: holds a number in its first row, which names the columns"])
    other = next((each for each in (";", "\t", ",") if each != delimiter and each in names[0]), None)
    mistakes = []
    if len(names) == 1 and other is not None:
        said = "TAB" if other == "\t" else repr(other)
        mistakes.append(f"columns are parted by {other!r}: say --delimiter {said}")
    mistakes += [f"column {at} has no name" for at, name in enumerate(names, 1) if not name]
    mistakes += [f"two columns are called {name}" for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if mistakes:
        raise Mistaken([f"{path}: {mistake}" for mistake in mistakes])
    return names


def rows(path: Path, delimiter: str, width: int) -> Iterator[Row | Broken]:
    """Those after the header. Empty lines are none."""
    number = 0
    for at, found in enumerate(_cells(path, delimiter)):
        if isinstance(found, Broken):
            yield found
        elif at and any(found[1]):
            number += 1
            line, cells = found
            wrong = len(cells) != width
            yield Broken(line, f"has {len(cells)} cells, not {width}") if wrong else Row(line, number, cells)


def _cells(path: Path, delimiter: str) -> Iterator[tuple[int, Sequence[str]] | Broken]:
    wrong: list[int] = []

    def lines() -> Iterator[str]:
        with path.open("rb") as file:
            for at, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
                if len(line) == LONGEST and not line.endswith(b"\n"):
                    raise csv.Error(f"a line has more than {LONGEST:,} bytes")
                try:
                    yield line.removeprefix(_BOM if at == 1 else b"").decode()
                except UnicodeDecodeError:
                    wrong.append(at)
                    yield line.decode(errors="replace")

    reader, line = csv.reader(lines(), delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            if wrong:
                yield Broken(wrong[0], "is not UTF-8")
                wrong.clear()
            else:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        yield Broken(line, f"is no CSV from here on: {error}")
