"""`python -m sinks act messages.bulk FILE`: a message for each row of a CSV file."""

import argparse
import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ingest.contract.codec import Undecodable
from ingest.contract.kafka import Kafka
from processors.stream.producer import BrokerUnavailable, KafkaProducer
from sinks.acting.bulk.batch import TYPE, Batch, Changed, Wording, prepared
from sinks.acting.bulk.sending import At, Progress, send
from sinks.acting.bulk.table import header
from sinks.acting.bulk.templates import InvalidTemplate, Template, template
from sinks.acting.catalogue import BULK, BULK_SAYS
from sinks.acting.log import KafkaLog, in_short
from sinks.acting.mistakes import Mistaken
from sinks.acting.options import Option, options
from sinks.acting.reading import (
    PROGRAM,
    Parser,
    Whom,
    account,
    add_account,
    add_parameters,
    add_waiting,
    given_of,
    unknown_of,
)

AHEAD = 1000
CHANGED = "the file has changed since it was checked"

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_DESCRIPTION = f"""{BULK_SAYS}

The first row names the columns. Columns are parameters of {TYPE}, as they are called there (`to`, `body`,
`media_url`: several parted by blanks); what is the same for all rows is an option. All rows are checked before the
first is asked for. What was stopped goes on when the same is asked again: no row is performed twice."""


def parser() -> Parser:
    made = Parser(f"{PROGRAM} {BULK}", _DESCRIPTION)
    made.usage = f"{made.prog} FILE [options]"
    made.add_argument("file", type=Path, metavar="FILE", help="CSV in UTF-8")
    made.add_argument("--body-template", metavar="TEXT", help="the body, with columns in braces: 'Hello {name}'")
    made.add_argument("--delimiter", default=",", help="between cells; TAB for tabulators, else a comma")
    made.add_argument("--ignore-columns", action="store_true", help="those that are no parameter and are named nowhere")
    made.add_argument("--allow-duplicates", action="store_true", help="the same text to the same recipient, twice")
    named = "with --key: its rows are asked for once, even if file or text change; else named after both of these"
    made.add_argument("--batch", metavar="NAME", help=named)
    made.add_argument("--key", metavar="COLUMN", help="tells rows apart, whatever their order; else their number does")
    made.add_argument("--ahead", type=int, default=AHEAD, help=f"rows asked for before their outcome; else {AHEAD}")
    made.add_argument(
        "--out", type=Path, metavar="FILE", help="outcomes as CSV, without numbers; of a row the last line counts"
    )
    made.add_argument("--dry-run", action="store_true", help="only check all rows")
    add_parameters(made, [replace(option, is_required=False) for option in options(TYPE)])
    add_account(made.add_argument_group("asking for it"))
    add_waiting(made, None)
    return made


def run(words: Sequence[str], whom: Whom, kafka: Kafka, console: Console) -> int:
    """0 all done, 1 some refused, 3 some unknown or not waited for. Raises Mistaken, BrokerUnavailable, NoTopic."""
    made = parser()
    chosen, unknown = made.parse_known_args(list(words))
    batch = batch_of(chosen, unknown_of(unknown, made), whom)
    if chosen.dry_run:
        print(f"{batch.count:,} rows can be asked for")
        return 0
    with _opened(chosen.out) as out, _bar(console, batch.count) as changed:
        progress = Progress(batch, out, changed)
        why = None
        try:
            asyncio.run(_send(batch, kafka, progress, None if chosen.no_wait else chosen.ahead, chosen.wait))
        except KeyboardInterrupt:
            why = "stopped"
        except Changed:
            why = CHANGED
        except Undecodable:
            why = "an outcome is in words of another version than this command's"
        except BrokerUnavailable as error:
            why = f"Kafka does not answer ({in_short(error)})"
        progress.close()
    _tell(batch, progress, why, as_json=chosen.json)
    return _code(batch, progress, why, is_waited_for=not chosen.no_wait)


def batch_of(chosen: argparse.Namespace, mistakes: list[str], whom: Whom) -> Batch:
    """Raises Mistaken."""
    every = options(TYPE)
    fixed, more = given_of(chosen, every)
    mistakes += more
    delimiter = "\t" if chosen.delimiter == "TAB" else chosen.delimiter
    if len(delimiter) != 1:
        mistakes.append("--delimiter: is one character, or TAB")
    if chosen.ahead < 1:
        mistakes.append("--ahead: is at least 1")
    if chosen.batch is not None and chosen.key is None:
        mistakes.append("--batch: needs --key: once the file changes, a row's number is another row's")
    if chosen.key is not None and whom.hash_key is None:
        mistakes.append("--key: needs SWITCHHOOK_PROCESSORS_HASH_KEY: ids are in logs, and no cell may be told by them")
    if chosen.out is not None and chosen.out.resolve() == chosen.file.resolve():
        mistakes.append("--out: is the file that is read")
    if chosen.batch is not None and not _NAME.fullmatch(chosen.batch):
        mistakes.append("--batch: is made of letters, digits and . _ : - and has at most 100 of them")
    try:
        account_sid = account(chosen.account, whom)
    except ValueError as error:
        mistakes.append(f"--account: {error}")
    if mistakes:
        raise Mistaken(mistakes)
    try:
        wording = _wording(header(chosen.file, delimiter), fixed, chosen, every)
        return prepared(
            chosen.file,
            delimiter,
            wording,
            account_sid,
            whom.hash_key,
            name=chosen.batch,
            allow_duplicates=chosen.allow_duplicates,
        )
    except OSError as error:
        raise Mistaken([f"{chosen.file}: cannot be read: {error.strerror}"]) from None


def _wording(
    names: Sequence[str], fixed: Mapping[str, Any], chosen: argparse.Namespace, every: Sequence[Option]
) -> Wording:
    known = {option.field: option for option in every}
    columns = {name: known[field] for name in names if (field := name.lower().replace("-", "_")) in known}
    fields = [option.field for option in columns.values()]
    mistakes = [f"two columns are {field}" for field in dict.fromkeys(fields) if fields.count(field) > 1]

    def read(flag: str, text: str) -> Template:
        try:
            made = template(text)
        except InvalidTemplate as error:
            mistakes.append(f"{flag}: {error}")
            return Template(())
        mistakes.extend(f"{flag}: there is no column {name}" for name in sorted(made.columns - {*names}))
        return made

    body = read("--body-template", chosen.body_template) if chosen.body_template is not None else None
    variables = {name: read("--content-variables", text) for name, text in fixed.get("content_variables", {}).items()}
    used = frozenset[str]().union(*(each.columns for each in (body, *variables.values()) if each is not None))
    if chosen.key is not None and chosen.key not in names:
        mistakes.append(f"--key: there is no column {chosen.key}")
    for name, option in list(columns.items()):
        if body is not None and option.field == "body" and name in used:
            del columns[name]
        elif option.field in fixed or (option.field == "body" and body is not None):
            mistakes.append(f"column {name}: is said by an option too")
    for name in names:
        if name not in columns and name not in used and name != chosen.key and not chosen.ignore_columns:
            mistakes.append(f"column {name}: is no parameter of {TYPE} and named nowhere; --ignore-columns if so meant")
    if mistakes:
        raise Mistaken(mistakes)
    same = {name: value for name, value in fixed.items() if name != "content_variables"}
    return Wording(names, columns, same, body, variables, chosen.key)


async def _send(batch: Batch, kafka: Kafka, progress: Progress, ahead: int | None, seconds: float | None) -> None:
    producer = KafkaProducer(kafka)
    try:
        async with KafkaLog(kafka) as log:
            await send(batch, log, producer, kafka.topic_prefix, progress, ahead=ahead, seconds=seconds)
    finally:
        await producer.stop()


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise Mistaken([f"--out: cannot be written: {error.strerror}"]) from None
    with file:
        yield file


@contextlib.contextmanager
def _bar(console: Console, total: int) -> Iterator[Any]:
    """What draws a bar on a terminal, and nothing elsewhere."""
    if not console.is_terminal:
        yield lambda progress: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda progress: bar.update(task, completed=progress.ended, description=_counted(progress))


def _counted(progress: Progress) -> str:
    told = {At.DONE: "done", At.REFUSED: "refused", At.UNKNOWN: "unknown", At.STUCK: "stuck", At.PUBLISHED: "under way"}
    return ", ".join(f"{progress.counts[at]:,} {name}" for at, name in told.items() if progress.counts[at]) or "nothing"


def _tell(batch: Batch, progress: Progress, why: str | None, *, as_json: bool) -> None:
    if as_json:
        counts = {at.name.lower(): progress.counts[at] for at in At}
        print(json.dumps({"batch": batch.prefix.rstrip("-"), "rows": batch.count, **counts, "stopped": why}))
        return
    print(f"{batch.count:,} rows: {_counted(progress)} (ids {batch.prefix}…)")
    if why == CHANGED:
        print(
            f"{why}: as it was, it goes on from here; as it is, it is another batch, but for --batch", file=sys.stderr
        )
    elif progress.ended < batch.count:
        print(f"{f'{why}: ' if why else ''}the same command goes on from here", file=sys.stderr)


def _code(batch: Batch, progress: Progress, why: str | None, *, is_waited_for: bool) -> int:
    if why is not None or progress.counts[At.STUCK] or (is_waited_for and progress.ended < batch.count):
        return 3
    return 1 if progress.counts[At.REFUSED] else 0
