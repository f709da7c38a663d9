"""The reckoning: the provider's own truth beside what was accepted, published, folded and done. Pure, but for reading.

Everything is compared one resource at a time; a difference names it.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from deploy.dev.watching import Seen
from processors.contract.actions import REPEATABLE

Json = Mapping[str, Any]

# The emulator's name of a callback → the route of the front door that takes it.
ROUTE_OF: Mapping[str, str] = {
    "message-status": "message-status",
    "inbound-message": "message-inbound",
    "call-status": "call-status",
    "participant-call-status": "call-status",
    "recording-status": "recording-status",
    "conference-status": "conference-status",
}
KINDS: Mapping[str, Sequence[str]] = {
    "message": ("message-status", "inbound-message"),
    "call": ("call-status", "participant-call-status"),
    "recording": ("recording-status",),
    "conference": ("conference-status",),
    "participant": (),  # its callbacks are its conference's
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind. Callbacks: made by the provider; requests that the front door accepted, and those it refused."""

    kind: str
    existing: int
    callbacks: int
    accepted: int
    refused: int
    lost: int
    published: int
    in_state: int
    equal: int


@dataclass(slots=True)
class Reckoning:
    rows: list[Row] = field(default_factory=list)
    asked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    performed_twice: int = 0
    repeated: int = 0
    forged: int = 0
    forged_accepted: int = 0
    refused_at_door: int = 0
    visible: Mapping[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def reckon(
    truth: Json, seen: Seen, state: Mapping[str, Json], metrics: Mapping[str, str], *, lost_allowed: bool = False
) -> Reckoning:
    """`state` by key; `metrics` by service. With `lost_allowed`, callbacks lost at the door are listed, no more."""
    found = Reckoning()
    lost = Counter(each["kind"] for each in truth["lost"])
    for kind, callbacks in KINDS.items():
        refused = sum(_refused(metrics["ingest"], route) for route in {ROUTE_OF[name] for name in callbacks})
        found.rows.append(_row(kind, callbacks, truth, seen, state, lost, refused, found.differences, lost_allowed))
    _actions(found, truth, seen, lost_allowed=lost_allowed)
    found.forged = truth["callbacks"]["forged"]["total"]
    found.forged_accepted = truth["callbacks"]["forged_outcomes"].get("2xx", 0)
    if found.forged_accepted:
        found.differences.append(f"{found.forged_accepted} forged callbacks were accepted")
    found.refused_at_door = truth["callbacks"]["total"]["403"] + truth["callbacks"]["total"]["other"]
    if lost and not lost_allowed:
        found.differences.append(f"{lost.total()} callbacks were never accepted: {dict(lost)}")
    if any("66666" in str(row["error_code"]) for row in state.values()):
        found.differences.append("a forged callback reached the state")
    if seen.records["dead-letters"]:
        found.differences.append(f"{seen.records['dead-letters']} records are in the dead letters")
    found.visible = quantiles(metrics["processors"], "switchhook_processors_visible_seconds")
    found.repeated = int(total(metrics["actions"], "switchhook_sinks_repeats_total"))
    return found


def _row(
    kind: str,
    callbacks: Sequence[str],
    truth: Json,
    seen: Seen,
    state: Mapping[str, Json],
    lost: Counter[str],
    refused: int,
    differences: list[str],
    lost_allowed: bool,
) -> Row:
    by_kind = truth["callbacks"]["by_kind"]
    made = sum(by_kind.get(name, {}).get("made", 0) for name in callbacks)
    accepted = sum(by_kind.get(name, {}).get("2xx", 0) for name in callbacks)
    missing = sum(lost[name] for name in callbacks)
    published = sum(len(seen.webhooks.get(route, ())) for route in {ROUTE_OF[name] for name in callbacks})
    # One that was given up on at the door may have reached the topic all the same.
    most = made if lost_allowed else made - missing
    if callbacks and not made - missing <= published <= most:
        differences.append(f"{kind}: {made - missing} callbacks were accepted, {published} events are in the topic")
    # Without its callbacks, a resource's state cannot be what the provider knows.
    untold = {each["sid"] for each in truth["lost"]} if lost_allowed else set()
    expected = {key: values for key, values in EXPECTED[kind](truth).items() if not untold & set(key.split("/"))}
    equal = 0
    for key, values in expected.items():
        known = state.get(key)
        shown = None if known is None else {name: known.get(name) for name in values}
        equal += shown == values
        if shown != values:
            differences.append(f"{kind} {key}: the provider has {values}, the state has {shown}")
    rows = [key for key, row in state.items() if row["kind"] == kind]
    stray = set(rows) - EXPECTED[kind](truth).keys()
    if stray:
        differences.append(f"{kind}: {len(stray)} rows of resources that do not exist, as {min(stray)}")
    return Row(kind, len(expected), made, accepted, refused, missing, published, len(rows), equal)


def _refused(metrics: str, route: str) -> int:
    name = "switchhook_ingest_webhooks_total"
    held = sum(total(metrics, name, kind=route, verdict=verdict) for verdict in ("accepted", "dead_lettered"))
    return int(total(metrics, name, kind=route) - held)


def _messages(truth: Json) -> Mapping[str, Json]:
    return {
        each["sid"]: {name: each[name] for name in ("status", "error_code", "direction", "correlation", "body")}
        for each in truth["messages"]
    }


def _calls(truth: Json) -> Mapping[str, Json]:
    return {each["sid"]: {name: each[name] for name in ("status", "correlation")} for each in truth["calls"]}


def _recordings(truth: Json) -> Mapping[str, Json]:
    names = ("status", "call_sid", "conference_sid")
    return {each["sid"]: {name: each[name] for name in names} for each in truth["recordings"]}


def _conferences(truth: Json) -> Mapping[str, Json]:
    # Where nobody ever came the provider says nothing of the conference itself, so there is nothing to know.
    return {
        each["sid"]: {"status": each["status"], "reason_conference_ended": each["reason_conference_ended"]}
        for each in truth["conferences"]
        if each["events"].get("conference-end")
    }


def _participants(truth: Json) -> Mapping[str, Json]:
    return {
        f"{each['conference_sid']}/{each['call_sid']}": {
            "status": "left" if each["left"] else "joined",
            "muted": each["muted"],
            "participant_label": each["label"],
        }
        for each in truth["participants"]
    }


EXPECTED: Mapping[str, Callable[[Json], Mapping[str, Json]]] = {
    "message": _messages,
    "call": _calls,
    "recording": _recordings,
    "conference": _conferences,
    "participant": _participants,
}


def _actions(found: Reckoning, truth: Json, seen: Seen, *, lost_allowed: bool) -> None:
    effects = {key: value["effects"] for key, value in truth["correlations"].items()}
    found.asked = len(seen.asked)
    for action_id, action in seen.asked.items():
        result = seen.results.get(action_id)
        found.outcomes[result.outcome if result else "open"] += 1
        if result is None:
            found.differences.append(f"action {action_id}: asked for, and no result")
            continue
        if result.outcome == "refused":
            found.refusals[f"{action.type}: {result.error_code or result.reason}"] += 1
        if REPEATABLE[action.type]:
            continue
        there = effects.get(action_id, 0)
        if there > 1:
            found.performed_twice += 1
            found.differences.append(f"action {action_id}: {there} effects")
        if result.outcome == "done" and there == 0:
            found.differences.append(f"action {action_id}: done without effect")
        if result.outcome == "unknown" and there and not lost_allowed:
            found.differences.append(f"action {action_id}: unknown, although callbacks showed its effect")
        if result.outcome == "refused":
            found.differences.append(f"action {action_id}: refused with {result.error_code or result.reason}")
    for action_id in effects.keys() - seen.asked.keys():
        found.differences.append(f"action {action_id}: has an effect and was not asked for")


def read_state(path: Path) -> Mapping[str, Json]:
    """The rows, with their attributes beside their columns. Opened read-only."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        rows = {}
        for row in connection.execute("select * from resources"):
            values = dict(row)
            attributes, seen = orjson.loads(values.pop("attributes")), orjson.loads(values.pop("seen"))
            ordered = {name: value for name, (value, *_) in attributes.get("ordered", {}).items()}
            code = max(map(int, seen.get("errors", ())), default=None)
            rows[values["key"]] = {**attributes["plain"], **ordered, "error_code": code, **values}
        return rows
    finally:
        connection.close()


def total(metrics: str, name: str, **labels: str) -> float:
    """The sum of a metric in a scrape, over all labels but those given."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def quantiles(metrics: str, name: str) -> Mapping[str, float]:
    """p50 and p99 of a histogram over all its labels, in seconds, interpolated within a bucket as Prometheus does."""
    buckets: Counter[float] = Counter()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                buckets[float(sample.labels["le"])] += int(sample.value)
    return {label: _quantile(sorted(buckets.items()), share) for label, share in (("p50", 0.5), ("p99", 0.99))}


def _quantile(buckets: Sequence[tuple[float, int]], share: float) -> float:
    if not buckets or not buckets[-1][1]:
        return 0.0
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0
    for high, count in buckets:
        if count >= wanted:
            if high == float("inf"):
                return low
            return low + (high - low) * (wanted - below) / max(1, count - below)
        low, below = high, count
    return low
