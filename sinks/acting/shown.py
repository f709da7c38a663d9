"""Shown: an answer as tables for a person, or as JSON. Numbers, names and words only for who asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ingest.contract.codec import family
from ingest.contract.events import Event
from processors.contract.phone import masked
from sinks.acting.asking import Answer
from sinks.contract.results import Outcome, Result
from sinks.ledger.shown import error_page

Row = Mapping[str, Any]

ADDRESSES = frozenset({"from", "to", "forwarded_from"})
WORDS = frozenset({
    "body", "error_message", "caller_name", "friendly_name", "participant_label", "transcription_text",
    "participant_label_ending_conference",
})  # fmt: skip
"""What an event says that a person wrote or is called."""

COLUMNS: Mapping[str, Sequence[str]] = {
    "message": ("message_sid", "status", "direction", "from", "to", "num_segments", "error_code", "date_sent", "body"),
    "call": ("call_sid", "status", "direction", "from", "to", "duration", "start_time"),
    "recording": ("recording_sid", "status", "call_sid", "conference_sid", "duration", "start_time"),
    "conference": ("conference_sid", "status", "friendly_name", "region"),
    "participant": ("conference_sid", "call_sid", "participant_label"),
    "available_number": ("phone_number", "locality", "region", "iso_country", "postal_code", "capabilities"),
    "number": ("sid", "phone_number", "friendly_name", "capabilities", "voice_url", "sms_url"),
    "caller_id": ("sid", "phone_number", "date_created"),
    "account": ("sid", "friendly_name", "status", "type"),
    "media": ("sid", "content_type", "date_created"),
    "transcription": ("sid", "recording_sid", "status", "duration", "date_created"),
    "wiring": ("sid", "phone_number", "outcome", "error_code", "answered_by", "differences"),
}
"""What a table has of a kind; of other kinds it has all. JSON has everything of each."""

EXIT = {Outcome.DONE: 0, Outcome.REFUSED: 1, Outcome.UNKNOWN: 3}
UNANSWERED = 3


def exit_code(answer: Answer) -> int:
    """0 done, 1 refused, 3 unknown or no answer in time."""
    return UNANSWERED if answer.result is None else EXIT[answer.result.outcome]


def as_json(answer: Answer, *, reveal: bool) -> Row:
    result = answer.result
    known = {"action_id": answer.action.id, "action_type": answer.action.type, "outcome": None}
    if result is not None:
        known |= result.model_dump(mode="json", by_alias=True, exclude_none=True)
    page = error_page(result.error_code if result is not None else None)
    more = {} if page is None else {"error_page": page}
    return {**known, **more, "observations": [observation(each, reveal=reveal) for each in answer.observed]}


def show(answer: Answer, console: Console, *, reveal: bool) -> None:
    result = answer.result
    if result is not None:
        for name, value in _outcome(result).items():
            _print_line(console, f"{name:<9} {value}")
        _print_line(console, "")
        resources = [_resource(each) for each in result.model_dump(mode="json", exclude_none=True).get("resources", ())]
        for kind in dict.fromkeys(each["kind"] for each in resources):
            if kind != "reference" or not answer.observed:
                _print(console, [each for each in resources if each["kind"] == kind], COLUMNS.get(kind))
        for name in dict.fromkeys(family(each.type) for each in answer.observed):
            events = [observation(each, reveal=reveal) for each in answer.observed if family(each.type) == name]
            _print(console, events, COLUMNS[name])
    if result is None or result.outcome is Outcome.UNKNOWN:
        _print_line(console, f"{'No answer yet' if result is None else 'Not known yet'}: id {answer.action.id}")
        _print_line(console, f"Ask again with `python -m sinks ledger show {answer.action.id}`")


def observation(event: Event, *, reveal: bool) -> Row:
    """What an answer showed, without numbers and words unless they are to be revealed."""
    known = event.model_dump(mode="json", by_alias=True, exclude_none=True)
    return known if reveal else {name: _hidden(name, value) for name, value in known.items() if name != "extra"}


def _hidden(name: str, value: Any) -> Any:
    if name in ADDRESSES:
        return masked(str(value))
    return f"{len(str(value))} characters" if name in WORDS else value


def _outcome(result: Result) -> Row:
    reason = None if result.reason == "provider" and result.error_code is not None else result.reason
    shown = {
        "action": result.action_type,
        "outcome": str(result.outcome),
        "sid": result.resource_sid,
        "error": result.error_code,
        "see": error_page(result.error_code),
        "reason": reason,
        "observed": result.observed,
        "id": result.action_id,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _resource(resource: Row) -> Row:
    return {name: _cell(value) for name, value in resource.items()}


def _cell(value: Any) -> Any:
    match value:
        case dict():  # such as what a number can do
            return ", ".join(name for name, is_so in value.items() if is_so)
        case list():
            return "; ".join(_difference(each) if isinstance(each, dict) else str(each) for each in value)
        case _:
            return value


def _difference(value: Row) -> str:
    return f"{value.get('field')}: {value.get('as_is')} → {value.get('wanted')}"


def _print(console: Console, rows: Sequence[Row], columns: Sequence[str] | None = None) -> None:
    names = columns or list(dict.fromkeys(name for row in rows for name in row if name != "kind"))
    shown = [name for name in names if any(row.get(name) is not None for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        is_whole = name == "see" or name.endswith("id")  # what one copies is not broken
        table.add_column(name.replace("_", " "), overflow="fold", no_wrap=is_whole)
    for row in rows:
        table.add_row(*("" if row.get(name) is None else str(row[name]) for name in shown))
    console.print(table, markup=False, highlight=False)
    _print_line(console, "")


def _print_line(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
