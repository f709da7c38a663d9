"""Sweeping: what is to be done about one row whose time has come, and which times are to be listed. The clock is an
argument. Every action is named after what it looks at and which attempt it is: whoever sweeps, it is asked for once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from processors.contract.actions import ACTIONS, Action
from processors.contract.changes import Kind
from processors.domain.deciding import Decided, decide, effects
from processors.domain.due import Deadlines, later, passed, settled, settles, unfinished
from processors.domain.facts import Facts, Resource, Seen, merge
from processors.domain.fold import learned
from processors.domain.rulebook import Rulebook, judged
from processors.domain.stamps import Stamp, instant, stamp
from processors.domain.statuses import CONFERENCE_ENDED

LOOKUPS: Mapping[Kind, tuple[str, str]] = {
    "message": ("messages.fetch", "message_sid"),
    "call": ("calls.fetch", "call_sid"),
    "recording": ("recordings.fetch", "recording_sid"),
    "conference": ("conferences.fetch", "conference_sid"),
    # The provider's answer about a participant does not say that it has left: its conference does.
    "participant": ("conferences.fetch", "conference_sid"),
}
"""The action that looks a resource up, and its field for the SID."""

Listed = tuple[str, str, str, Mapping[str, str]]

LISTS: Mapping[Kind, Sequence[Listed]] = {
    "message": [("messages.list", "date_sent_after", "date_sent_before", {})],
    "call": [("calls.list", "start_time_after", "start_time_before", {})],
    "recording": [("recordings.list", "date_created_after", "date_created_before", {})],
    # Without a status the provider may show only those that go on.
    "conference": [
        ("conferences.list", "date_created_after", "date_created_before", {"status": status})
        for status in ("in-progress", "completed")
    ],
}
"""The actions that list a kind by time: the fields for from and until, and what else has to be said."""


class Outcome(StrEnum):
    """What a deadline that has passed came to. The labels of a metric."""

    FETCHED = "fetched"
    """Asked for by a lookup."""
    WAITING = "waiting"
    """A participant of a conference that goes on."""
    ENDED = "ended"
    """A participant of a conference that is over: nobody told us that it left."""
    GIVEN_UP = "given_up"
    """Looked up often enough."""


class Verdict(StrEnum):
    """What came of judging a rule that settles. The labels of a metric."""

    HELD = "held"
    HELD_BACK = "held_back"


class Swept(NamedTuple):
    """What one look at a row came to. `row` is as it is to be written, of a new version where facts were `learned`."""

    row: Resource
    lookups: Sequence[Action] = ()
    decided: Sequence[Decided] = ()
    learned: Sequence[str] = ()
    outcome: Outcome | None = None
    verdicts: Sequence[tuple[str, Verdict]] = ()


def swept(
    row: Resource, conference: Resource | None, now: Stamp, rules: Rulebook, deadlines: Deadlines, hash_key: bytes
) -> Swept:
    """`conference` is the row of a participant's conference, where it is known."""
    looked = _looked_up(row, conference, now, deadlines)
    times = {judge.rule.name: settled(judge, looked.row) for judge in rules.settling[row.kind]}
    ripe = [judge for judge in rules.settling[row.kind] if _is_ripe(times[judge.rule.name], now)]
    # Of when it was to be judged, not of now: a sweep that has to do it again says the same to the letter.
    said = Facts(events={judged(judge.rule.name): (times[judge.rule.name] or now, None) for judge in ripe})
    facts = merge(looked.row.facts, said)
    version = row.version if facts is row.facts else row.version + 1
    after = looked.row._replace(facts=facts, version=version)
    held = [judge for judge in ripe if all(condition.holds(looked.row) for condition in judge.besides)]
    decided = [
        *decide(row, after, rules, hash_key),
        *(each for judge in held for each in effects(judge, after, hash_key)),
    ]
    return looked._replace(
        row=after._replace(due=_next(after, now, rules, deadlines, looked.outcome)),
        decided=decided,
        learned=[*looked.learned, *learned(row.facts, said)],
        verdicts=[(judge.rule.name, Verdict.HELD if judge in held else Verdict.HELD_BACK) for judge in ripe],
    )


def _is_ripe(time: Stamp | None, now: Stamp) -> bool:
    return time is not None and time <= now


def _next(row: Resource, now: Stamp, rules: Rulebook, deadlines: Deadlines, outcome: Outcome | None) -> Stamp | None:
    """As planned, but not before the answer to what was just asked for can be here: an outage leaves plans behind."""
    again, judgement = unfinished(row, deadlines), settles(row, rules)
    if again is not None and outcome is not None:
        again = max(again, later(now, deadlines.after[row.kind]))
    return min((time for time in (again, judgement) if time is not None), default=None)


def _looked_up(row: Resource, conference: Resource | None, now: Stamp, deadlines: Deadlines) -> Swept:
    time = unfinished(row, deadlines)
    if time is None or time > now:
        return Swept(row)
    ended = conference.facts.statuses.get("completed") if conference is not None else None
    if row.kind == "participant" and ended is not None:
        return _left(row, ended)
    if row.sweeps >= deadlines.attempts:
        return Swept(row._replace(sweeps=row.sweeps + 1), outcome=Outcome.GIVEN_UP)
    row = row._replace(sweeps=passed(row, now, deadlines))
    if row.kind == "participant" and conference is not None:
        return Swept(row, outcome=Outcome.WAITING)
    return Swept(row, [lookup(row)], outcome=Outcome.FETCHED)


def _left(row: Resource, ended: Seen) -> Swept:
    said = Facts(events={CONFERENCE_ENDED: ended})
    return Swept(row._replace(facts=merge(row.facts, said)), learned=learned(row.facts, said), outcome=Outcome.ENDED)


def lookup(row: Resource) -> Action:
    """The fetch that is its attempt number `sweeps`; of a participant, that of its conference."""
    action, field = LOOKUPS[row.kind]
    sid = conference_of(row.key)
    return ACTIONS.validate_python(
        {
            "type": action,
            "id": sweep_id(row.kind, row.sweeps, row.account_sid, sid),
            "account_sid": row.account_sid,
            "ordering_key": sid,
            field: sid,
        }
    )


def sweep_id(kind: Kind, attempt: int, *identity: object) -> str:
    """The same from every worker that asks for the same; no rule led here, so it does not end as a rule's do."""
    digest = hashlib.sha256("\x1f".join(map(str, (kind, attempt, *identity))).encode()).hexdigest()[:24]
    return f"sweep-{kind}-{digest}-a{attempt}"


def conference_of(key: str) -> str:
    """The SID before the slash of a participant's key; of any other key, all of it."""
    return key.partition("/")[0]


class Windows(NamedTuple):
    """Seconds. Time is cut into windows, aligned to the clock; each is listed `delay` after its end, from `overlap`
    before its start. Those that ended more than `catch_up` ago are left out. `most` resources are listed of one."""

    length: Mapping[Kind, float]
    delay: float = 120.0
    overlap: float = 300.0
    catch_up: float = 3600.0
    most: int = 1000


class Window(NamedTuple):
    """The `number`th since 1970 of a kind and an account."""

    account_sid: str
    kind: Kind
    number: int


def windows(
    accounts: Sequence[str], now: datetime, listed: Mapping[tuple[str, Kind], int], plan: Windows
) -> Sequence[Window]:
    """Those that can be listed by now, oldest first. `listed` has the last number of those that were."""
    found: list[tuple[float, Window]] = []
    seconds = now.timestamp()
    for account in accounts:
        for kind in LISTS:
            length = plan.length[kind]
            oldest = int((seconds - plan.delay - plan.catch_up) // length)
            start = max(oldest, listed.get((account, kind), oldest - 1) + 1)
            ended = int((seconds - plan.delay) // length)
            found += [((number + 1) * length, Window(account, kind, number)) for number in range(start, ended)]
    return [window for _, window in sorted(found)]


def listings(window: Window, plan: Windows) -> Sequence[Action]:
    start = window.number * plan.length[window.kind] - plan.overlap
    end = (window.number + 1) * plan.length[window.kind]
    since, until = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    return [_listing(window, since, until, each, plan.most) for each in LISTS[window.kind]]


def _listing(window: Window, since: datetime, until: datetime, listed: Listed, most: int) -> Action:
    action, after, before, more = listed
    return ACTIONS.validate_python(
        {
            "type": action,
            "id": sweep_id(window.kind, 1, window.account_sid, stamp(since), stamp(until), *more.values()),
            "account_sid": window.account_sid,
            "ordering_key": f"{action}/{window.account_sid}",
            after: since,
            before: until,
            "limit": most,
            **more,
        }
    )


class Tokens(NamedTuple):
    """A token bucket: `rate` a second, and no more than one second's worth at once, one at least."""

    rate: float
    left: float
    at: Stamp

    def refilled(self, now: Stamp) -> "Tokens":
        seconds = max(0.0, (instant(now) - instant(self.at)).total_seconds())
        return Tokens(self.rate, min(max(1.0, self.rate), self.left + seconds * self.rate), now)

    def less(self, count: int) -> "Tokens":
        return self._replace(left=self.left - count)
