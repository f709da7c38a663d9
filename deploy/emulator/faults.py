"""What goes wrong, and when: a plan of probabilities, and for each callback or request its verdict.

A verdict is drawn from the seed and the name of what it strikes (the n-th callback of a SID, the n-th POST
of a path), never from the clock. Everything is off unless the plan says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from deploy.emulator.chance import Key, draw
from deploy.emulator.limits import Limits
from deploy.emulator.lives.tables import CALL_FINAL, MESSAGE_FINAL, RECORDING_FINAL, Chances, Range

# What ends a resource, by the kind of its callback: losing one of these leaves it open for ever.
TERMINAL: Mapping[str, frozenset[str]] = {
    "message-status": MESSAGE_FINAL,
    "call-status": CALL_FINAL,
    "participant-call-status": CALL_FINAL,
    "recording-status": RECORDING_FINAL,
    "conference-status": frozenset({"conference-end"}),
}


class Drop(StrEnum):
    """Why a callback is never made; the first that strikes."""

    RESOURCE = "resource"  # none of its SID is: our side never hears of it
    TERMINAL = "terminal"  # it would have told of an end
    ANY = "any"


class Forgery(StrEnum):
    WRONG_KEY = "wrong-key"
    STALE_KEY = "stale-key"  # with the token that the last rotation has retired, or with one that never was
    TAMPERED = "tampered"
    UNSIGNED = "unsigned"


class Signer(StrEnum):
    """Which key a true callback is signed with."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    SHARED = "shared"


class RestFault(StrEnum):
    RATE_LIMITED = "rate_limited"  # 429 with 20429, before the effect
    SERVER_ERROR = "server_error"  # 500 or 503, before the effect
    RESET = "reset"  # the connection closes before the effect
    LOST_ANSWER = "lost_answer"  # the connection closes after the effect
    SLOW = "slow"  # the answer is late


@dataclass(frozen=True)
class CallbackFaults:
    """Probabilities for each callback, and ranges in provider seconds.

    `drop_terminal` is for each one that tells of an end, `drop_resource` for each SID: all its callbacks or none.
    """

    duplicate: float = 0
    reorder: float = 0
    delay: float = 0
    forge: float = 0
    drop: float = 0
    drop_terminal: float = 0
    drop_resource: float = 0
    secondary_key: float = 0  # signed with the secondary token, where there is one
    shared_key: float = 0  # signed with the shared key, where there is one
    duplicate_seconds: Range = (0, 5)
    reorder_seconds: Range = (5, 20)
    delay_seconds: Range = (1, 10)


@dataclass(frozen=True)
class RestFaults:
    """Probabilities for each request; the first that strikes, in the order of `RestFault`, is the one."""

    rate_limited: float = 0
    server_error: float = 0
    reset: float = 0
    lost_answer: float = 0
    slow: float = 0
    slow_seconds: Range = (0.2, 2.0)  # real seconds: the caller's timeouts are real
    cut_download: float = 0  # of each file, beside those: the connection closes in the middle of it
    methods: tuple[str, ...] = ("GET", "POST", "DELETE")


@dataclass(frozen=True)
class Plan:
    callbacks: CallbackFaults = field(default_factory=CallbackFaults)
    kinds: Mapping[str, CallbackFaults] = field(default_factory=dict)  # instead of `callbacks`, by kind
    rest: RestFaults = field(default_factory=RestFaults)
    chances: Chances = field(default_factory=Chances)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class CallbackVerdict:
    drop: Drop | None = None
    reorder_by: float = 0
    delay_by: float = 0
    duplicate_after: float | None = None
    forgery: Forgery | None = None
    signer: Signer = Signer.PRIMARY

    @property
    def wait(self) -> float:
        return self.reorder_by + self.delay_by


@dataclass(frozen=True)
class RestVerdict:
    fault: RestFault | None = None
    status: int = 0  # of a server error
    seconds: float = 0  # of a slow answer


CALM, SAFE = CallbackFaults(), CallbackVerdict()
Filled = TypeVar("Filled", CallbackFaults, RestFaults, Chances, Limits)


class BadPlan(ValueError):
    """The plan names something that is not there."""


def callback_verdict(plan: Plan, seed: int, kind: str, sid: str, ordinal: int, what: str = "") -> CallbackVerdict:
    """What is in store for the n-th callback of a kind about a SID; `what` is its status or event."""
    odds = plan.kinds.get(kind, plan.callbacks)
    if odds == CALM:
        return SAFE  # nothing to draw for, and most plans are like this
    chance = draw(seed, "callback", kind, sid, ordinal)
    # One number for each question, asked or not: raising one probability moves no other verdict.
    dropped, reorder, delay, duplicate, forge = (chance.random() for _ in range(5))
    reorder_by, delay_by, duplicate_after = (
        chance.uniform(*limits) for limits in (odds.reorder_seconds, odds.delay_seconds, odds.duplicate_seconds)
    )
    drops = {
        Drop.RESOURCE: draw(seed, "drop-resource", sid).random() < odds.drop_resource,
        Drop.TERMINAL: what in TERMINAL.get(kind, ())
        and draw(seed, "drop-terminal", kind, sid, ordinal).random() < odds.drop_terminal,
        Drop.ANY: dropped < odds.drop,
    }
    return CallbackVerdict(
        drop=next((why for why, strikes in drops.items() if strikes), None),
        reorder_by=reorder_by if reorder < odds.reorder else 0,
        delay_by=delay_by if delay < odds.delay else 0,
        duplicate_after=duplicate_after if duplicate < odds.duplicate else None,
        forgery=chance.choice(list(Forgery)) if forge < odds.forge else None,
        signer=_signer(draw(seed, "signer", kind, sid, ordinal).random(), odds),
    )


def _signer(chance: float, odds: CallbackFaults) -> Signer:
    if chance < odds.shared_key:
        return Signer.SHARED
    return Signer.SECONDARY if chance < odds.shared_key + odds.secondary_key else Signer.PRIMARY


def rest_verdict(plan: Plan, seed: int, method: str, *name: Key) -> RestVerdict:
    if method not in plan.rest.methods:
        return RestVerdict()
    chance = draw(seed, "rest", method, *name)
    strikes = {fault: chance.random() < getattr(plan.rest, fault.value) for fault in RestFault}
    status, seconds = chance.choice((500, 503)), chance.uniform(*plan.rest.slow_seconds)
    return RestVerdict(next((fault for fault, strikes_now in strikes.items() if strikes_now), None), status, seconds)


def cut_after(plan: Plan, seed: int, *name: Key) -> float | None:
    """The share of a download after which its connection is cut; None where it is not."""
    chance = draw(seed, "download", *name)
    strikes, share = chance.random() < plan.rest.cut_download, chance.random()
    return share if strikes else None


def plan_from(document: Mapping[str, Any] | None) -> Plan:
    """The plan in a YAML file's document. Raises BadPlan naming the first key that is unknown."""
    document = document or {}
    _known(document, {"callbacks", "rest", "chances", "limits"}, "the plan")
    callbacks = dict(document.get("callbacks") or {})
    kinds = callbacks.pop("kinds", None) or {}
    common = _fill(CallbackFaults(), callbacks, "callbacks")
    return Plan(
        callbacks=common,
        kinds={kind: _fill(common, odds, f"callbacks.kinds.{kind}") for kind, odds in kinds.items()},
        rest=_fill(RestFaults(), document.get("rest") or {}, "rest"),
        chances=_fill(Chances(), document.get("chances") or {}, "chances"),
        limits=_fill(Limits(), document.get("limits") or {}, "limits"),
    )


def _fill(defaults: Filled, given: Mapping[str, Any], where: str) -> Filled:
    _known(given, {known.name for known in fields(defaults)}, where)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return replace(defaults, **values)


def _known(given: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := sorted(set(given) - names):
        raise BadPlan(f"{where}: no such key {unknown[0]!r}; there are {', '.join(sorted(names))}")
