"""How it ended: what was asked for, beside what the ledger says, what was published, and what the provider has."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from processors.contract.actions import REPEATABLE, Action
from sinks.contract.results import Outcome, Result
from sinks.ledger.entries import Entry, State
from tests.chaos.hands import Json
from tests.chaos.team import REFUSED

REFUSED_WITH = 21211
OUTCOME_OF: Mapping[State, Outcome] = {
    State.DONE: Outcome.DONE, State.REFUSED: Outcome.REFUSED, State.STUCK: Outcome.UNKNOWN,
}  # fmt: skip
UNSHOWN = frozenset({"caller_ids.verify", "conferences.announce", "participants.announce"})
"""What leaves nothing behind at the provider that could be found by listing, and no callback with our mark."""

Fact = tuple[str, str, str]
"""(kind, whose, what)"""


@dataclass(frozen=True)
class World:
    """What the provider has: its own truth, the numbers that it shows, files by message, and how often each action was
    heard of where announcements and documents are fetched."""

    truth: Json
    numbers: Sequence[Json]
    media: Mapping[str, int]
    heard: Mapping[str, int]

    def effects(self, action: Any) -> Sequence[str]:
        """Whatever came of an action that is not repeatable: SIDs, or something that stands for one."""
        match action.type:
            case "recordings.start":
                return [each["sid"] for each in self.truth["recordings"] if each["call_sid"] == action.call_sid]
            case "numbers.buy":
                return [each["sid"] for each in self.numbers if each["friendly_name"] == action.friendly_name]
            case "caller_ids.verify":
                return [each["sid"] for each in self.truth["calls"] if each["to"] == action.phone_number]
            case "conferences.announce" | "participants.announce":
                return [action.id] * self.heard.get(action.id, 0)
            case _:
                sids: Sequence[str] = self.truth["correlations"].get(action.id, {}).get("sids", ())
                return sids

    def facts(self) -> Mapping[Fact, object]:
        """How everything stands that repeatable actions change."""
        truth = self.truth
        seats = {("participants", each["call_sid"]): each for each in truth["participants"]}
        return {
            **{("calls", each["sid"], "status"): each["status"] for each in truth["calls"]},
            **{("recordings", each["call_sid"], "status"): each["status"] for each in truth["recordings"]},
            **{("recordings", each["sid"], "deleted"): each["deleted"] for each in truth["recordings"]},
            **{("conferences", each["sid"], "status"): each["status"] for each in truth["conferences"]},
            **{(*whose, what): each[what] for whose, each in seats.items() for what in ("muted", "hold", "left")},
            **{("numbers", each["sid"], "sms_url"): each["sms_url"] for each in self.numbers},
            **{("media", sid, "count"): count for sid, count in self.media.items()},
            **{("heard", name, "of"): count > 0 for name, count in self.heard.items()},
        }


def wanted(action: Any) -> tuple[Fact, object] | None:
    """What a repeatable action is to end in. The last of a fact stands."""
    match action.type:
        case "calls.hang_up":
            return ("calls", action.call_sid, "status"), "completed"
        case "calls.redirect":
            return ("heard", action.id, "of"), True
        case "recordings.pause":
            return ("recordings", action.call_sid, "status"), "paused"
        case "recordings.resume":
            return ("recordings", action.call_sid, "status"), "in-progress"
        case "recordings.stop":
            return ("recordings", action.call_sid, "status"), "completed"
        case "recordings.delete":
            return ("recordings", action.recording_sid, "deleted"), True
        case "conferences.end":
            return ("conferences", action.conference_sid, "status"), "completed"
        case "participants.mute" | "participants.unmute":
            return ("participants", action.call_sid, "muted"), action.type == "participants.mute"
        case "participants.hold" | "participants.unhold":
            return ("participants", action.call_sid, "hold"), action.type == "participants.hold"
        case "participants.remove":
            return ("participants", action.call_sid, "left"), True
        case "numbers.configure":
            return ("numbers", action.number_sid, "sms_url"), action.sms_url
        case "numbers.release":
            return ("numbers", action.number_sid, "sms_url"), None
        case "media.delete":
            return ("media", action.message_sid, "count"), 0
    return None


SHOWN: Mapping[str, int] = {
    "messages.list": 1, "calls.list": 1, "recordings.list": 1, "participants.list": 3, "media.list": 1,
}  # fmt: skip
"""How many a list shows that was asked for after what it lists."""


def differences(
    asked: Mapping[str, Action], entries: Mapping[str, Entry], results: Mapping[str, Result], world: World
) -> Sequence[str]:
    """Where the ledger, the results and the provider do not agree, or something ended as it must not."""
    return [
        *_ledger(asked, entries, results),
        *_effects(list(entries.values()), world),
        *_states(asked, entries, world),
    ]


def _ledger(asked: Mapping[str, Action], entries: Mapping[str, Entry], results: Mapping[str, Result]) -> Iterator[str]:
    for name in asked.keys() ^ entries.keys():
        yield f"{name}: {'not in the ledger' if name in asked else 'nobody asked for it'}"
    for name, entry in entries.items():
        result, state = results.get(name), entry.state
        if state not in OUTCOME_OF:
            yield f"{name}: still {state}"
        elif result is None or (result.outcome, result.resource_sid) != (OUTCOME_OF[state], entry.resource_sid):
            yield f"{name}: {state}, and the last result says {result and result.outcome}"
        elif state is State.DONE and result.observed not in (None, SHOWN.get(entry.action.type, result.observed)):
            yield f"{name}: showed {result.observed}"
        is_wrong: bool = getattr(entry.action, "to", None) == REFUSED
        if (state is State.REFUSED) != is_wrong or (is_wrong and entry.error_code != REFUSED_WITH):
            yield f"{name}: {state} with {entry.error_code} {entry.reason}"


def _effects(entries: Sequence[Entry], world: World) -> Iterator[str]:
    """Each effect once, and each where the ledger says so."""
    dropped, known = set(world.truth["dropped"]["resource"]), set[str]()
    released = {getattr(each.action, "number_sid", None) for each in entries if _is_released(each)}
    for entry in entries:
        action, name = entry.action, entry.action.id
        if REPEATABLE[action.type]:
            continue
        known.add(name)
        there = world.effects(action)
        if entry.resource_sid in released:
            there = [str(entry.resource_sid)]  # it is not ours any more, and so not shown; once it was
        if len(there) > 1:
            yield f"{name}: {len(there)} effects"
        is_named = entry.resource_sid in there or action.type in UNSHOWN
        if entry.state is State.DONE and not (there and is_named):
            yield f"{name}: done as {entry.resource_sid}, and there is {there}"
        if entry.state is State.REFUSED and there:
            yield f"{name}: refused, and there is {there}"
        if entry.state is State.STUCK and not _is_rightly_stuck(action, there, dropped):
            yield f"{name}: stuck, and the provider shows {there or 'that it is not there'}"
    for name in world.truth["correlations"].keys() - known:
        yield f"{name}: has an effect, and nobody asked for it"


def _is_released(entry: Entry) -> bool:
    return entry.action.type == "numbers.release" and entry.state is State.DONE


def _is_rightly_stuck(action: Any, there: Sequence[str], dropped: Set[str]) -> bool:
    """Whether nothing at the provider tells what became of it."""
    if action.type in UNSHOWN or (action.type == "numbers.buy" and action.area_code):
        return True
    is_hidden = getattr(action, "address_retention", None) == "obfuscate" or action.id.startswith("twin-")
    return bool(is_hidden and dropped >= set(there))


def _states(asked: Mapping[str, Action], entries: Mapping[str, Entry], world: World) -> Iterator[str]:
    ends: dict[Fact, object] = {}
    for name, action in asked.items():
        end = wanted(action)
        if end is not None and name in entries and entries[name].state is State.DONE:
            ends[end[0]] = end[1]
    facts = world.facts()
    for fact, value in ends.items():
        if facts.get(fact) != value:
            yield f"{' '.join(fact)}: is {facts.get(fact)} and was to be {value}"


def summary(entries: Mapping[str, Entry], outcomes: Mapping[str, Set[str]], truth: Json) -> Mapping[str, object]:
    """What is worth being printed of a run."""
    states = Counter(str(entry.state) for entry in entries.values())
    stuck = Counter(entry.action.type for entry in entries.values() if entry.state is State.STUCK)
    unknown = [name for name, told in outcomes.items() if Outcome.UNKNOWN in told]
    return {
        **states,
        "stuck by type": dict(stuck),
        "unknown for a while": len(unknown),
        "resolved": sum(entries[name].state is not State.STUCK for name in unknown),
        "asked for again": sum(entry.attempts > 1 for entry in entries.values()),
        "faults": truth["rest"]["faults"],
    }
