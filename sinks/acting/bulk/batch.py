"""A batch: what is said for each row of a file, under which id, and whether all of it can be asked for."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from processors.contract.actions import CreateMessage
from sinks.acting.bulk.table import Broken, Row, rows, stamp
from sinks.acting.bulk.templates import Template
from sinks.acting.mistakes import Mistaken, Named, option, told
from sinks.acting.options import Kind, Option
from sinks.acting.reading import key

TYPE = "messages.create"
TOLD = 50
"""Mistakes at most; of more, how many."""

Cells = Mapping[str, str]


class Changed(Exception):
    """The file is another than the one that was checked."""


class Wording(NamedTuple):
    """What every row says: `columns` are the parameters that columns hold, by column; `fixed` is the same for all;
    `body` and `variables` are filled from columns; `row_key` is the column that tells rows apart, if one does."""

    header: Sequence[str]
    columns: Mapping[str, Option]
    fixed: Mapping[str, Any]
    body: Template | None
    variables: Mapping[str, Template]
    row_key: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """`prefix` is how the ids of its rows begin. `numbers` has the row of each key, where a column tells them apart."""

    path: Path
    delimiter: str
    wording: Wording
    account_sid: str
    hash_key: bytes | None
    prefix: str
    count: int
    stamp: tuple[int, int]
    numbers: Mapping[str, int] = field(default_factory=dict)

    def actions(self) -> Iterator[tuple[int, CreateMessage]]:
        """Each row's number, and what is asked for. Raises Changed, also on the way: a long file takes hours."""
        if not self._is_same():
            raise Changed
        for row in rows(self.path, self.delimiter, len(self.wording.header)):
            if isinstance(row, Broken) or not self._is_same():
                raise Changed
            cells = dict(zip(self.wording.header, row.cells, strict=True))
            yield row.number, _action(self, row, cells)

    def _is_same(self) -> bool:
        try:
            return stamp(self.path) == self.stamp
        except OSError:
            return False

    def number(self, action_id: str) -> int | None:
        """The row that an id is of; None for one of another batch."""
        mark = action_id.removeprefix(self.prefix)
        if mark == action_id:
            return None
        number = self.numbers.get(mark) if self.wording.row_key is not None else int(mark) if mark.isdigit() else None
        return number if number is not None and 1 <= number <= self.count else None

    def ids(self) -> Iterator[tuple[int, str]]:
        if self.wording.row_key is not None:
            yield from ((number, self.prefix + mark) for mark, number in self.numbers.items())
        else:
            yield from ((number, f"{self.prefix}{number}") for number in range(1, self.count + 1))


def prepared(
    path: Path,
    delimiter: str,
    wording: Wording,
    account_sid: str,
    hash_key: bytes | None,
    *,
    name: str | None,
    allow_duplicates: bool,
) -> Batch:
    """All rows are read, and nothing is kept of them but what tells them apart. Raises Mistaken with all that is wrong.

    Without a `name` the batch is named after the file's content and what is said: another text is another batch.
    """
    digest, read_at = hashlib.sha256(_said(wording)), stamp(path)
    draft = Batch(path, delimiter, wording, account_sid, hash_key, "draft-", 0, read_at)
    mistakes = _Mistakes(path)
    seen, numbers, count = set[int](), dict[str, int](), 0
    for row in rows(path, delimiter, len(wording.header)):
        if isinstance(row, Broken):
            mistakes.add(row.line, row.said)
            continue
        count = row.number
        digest.update(orjson.dumps(row.cells))
        cells = dict(zip(wording.header, row.cells, strict=True))
        try:
            action = _action(draft, row, cells)
        except ValidationError as error:
            mistakes.add(row.line, *told(error, _column(wording)))
            continue
        except ValueError as error:
            mistakes.add(row.line, str(error))
            continue
        content = _fingerprint(action)
        if content in seen and not allow_duplicates:
            mistakes.add(row.line, "says the same to the same recipient as one before; --allow-duplicates if it is to")
        if not allow_duplicates:
            seen.add(content)
        if wording.row_key is not None:
            mark = _mark(cells[wording.row_key], hash_key)
            if mark in numbers:
                mistakes.add(row.line, f"has the {wording.row_key} of one before: it tells rows apart")
            numbers[mark] = row.number
    if not count and not mistakes.count:
        mistakes.add(2, "is where the first row would be: there is none")
    mistakes.raise_any()
    identity = hashlib.sha256(f"{account_sid}\x1f{name or digest.hexdigest()}".encode()).hexdigest()[:16]
    return Batch(path, delimiter, wording, account_sid, hash_key, f"bulk-{identity}-", count, read_at, numbers)


class _Mistakes:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: list[str] = []
        self.count = 0

    def add(self, line: int, *said: str) -> None:
        self.count += len(said)
        self._told += [f"{self._path}: line {line}: {each}" for each in said][: TOLD - len(self._told)]

    def raise_any(self) -> None:
        more = self.count - len(self._told)
        if self.count:
            raise Mistaken([*self._told, *([f"and {more:,} more"] if more else [])])


def _action(batch: Batch, row: Row, cells: Cells) -> CreateMessage:
    """Raises ValidationError, and ValueError with what is wrong."""
    wording = batch.wording
    document = dict(wording.fixed)
    for column, parameter in wording.columns.items():
        if cells[column]:
            document[parameter.field] = _value(parameter, cells[column])
    if wording.body is not None:
        document["body"] = wording.body.filled(cells)
    if wording.variables:
        document["content_variables"] = {name: each.filled(cells) for name, each in wording.variables.items()}
    mark = _mark(cells[wording.row_key], batch.hash_key) if wording.row_key is not None else str(row.number)
    document |= {"type": TYPE, "id": batch.prefix + mark, "account_sid": batch.account_sid}
    document["ordering_key"] = key(document, batch.hash_key)
    return CreateMessage.model_validate(document)


def _value(option: Option, cell: str) -> object:
    if option.kind is Kind.MANY:
        return cell.split()
    if option.kind is Kind.PAIRS:
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            raise ValueError(f"{option.field}: is a JSON object") from None
    return cell


def _mark(cell: str, hash_key: bytes | None) -> str:
    """Keyed, since a cell may be a number, of which there are few enough to try them all. Raises ValueError."""
    if not cell:
        raise ValueError("its key is empty")
    return hashlib.blake2b(cell.encode(), key=hash_key or b"", digest_size=8).hexdigest()


def _fingerprint(action: CreateMessage) -> int:
    said = action.model_dump_json(exclude={"id", "ordering_key"}, exclude_defaults=True).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest())


def _said(wording: Wording) -> bytes:
    names = {column: option.field for column, option in wording.columns.items()}
    body = wording.body.parts if wording.body is not None else None
    variables = {name: each.parts for name, each in wording.variables.items()}
    return orjson.dumps([names, wording.fixed, body, variables, wording.header])


def _column(wording: Wording) -> Named:
    names = {parameter.field: column for column, parameter in wording.columns.items()}
    return lambda field: names.get(field) or option(field)
