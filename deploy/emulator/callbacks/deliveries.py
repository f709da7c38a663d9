"""What became of each callback: how often it was tried, what was answered, and which were lost.

A callback is lost when nothing of it is outstanding and no true delivery of it was ever answered 2xx.
Forged requests are counted apart: a 2xx to one of those is the receiver's defect.
"""

from collections import Counter
from dataclasses import dataclass, field

from deploy.emulator.account import Callback
from deploy.emulator.errors import Json
from deploy.emulator.faults import CallbackVerdict, Drop, Forgery

Name = tuple[str, str, int]
ANSWERS = ("attempted", "answered", "2xx", "403", "other", "no_answer")
COLUMNS = ("made", *ANSWERS, "dropped", "delayed", "reordered", "duplicated")


@dataclass
class Fate:
    what: str
    drop: Drop | None = None
    outstanding: int = 0
    accepted: bool = False
    outcomes: list[str] = field(default_factory=list)  # of each true attempt


@dataclass
class Deliveries:
    fates: dict[Name, Fate] = field(default_factory=dict)
    outstanding: int = 0
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    forged: Counter[str] = field(default_factory=Counter)
    forged_outcomes: Counter[str] = field(default_factory=Counter)

    def planned(self, callback: Callback, verdict: CallbackVerdict) -> None:
        """A callback is made; this is what is in store for it."""
        self.fates[_name(callback)] = Fate(callback.what, verdict.drop)
        counts = self.by_kind.setdefault(callback.kind, Counter())
        counts["made"] += 1
        counts["dropped"] += verdict.drop is not None
        counts["delayed"] += verdict.delay_by > 0
        counts["reordered"] += verdict.reorder_by > 0
        counts["duplicated"] += verdict.duplicate_after is not None and not verdict.drop

    def begun(self, callback: Callback) -> None:
        """A delivery is on its way, or will be."""
        self.fates[_name(callback)].outstanding += 1
        self.outstanding += 1

    def tried(self, callback: Callback, forgery: Forgery | None, outcome: int | str) -> None:
        """One attempt has ended with an HTTP status, or without one."""
        word = outcome_word(outcome)
        if forgery:
            self.forged[forgery.value] += 1
            self.forged_outcomes[word] += 1
            return
        self.fates[_name(callback)].outcomes.append(str(outcome))
        counts = self.by_kind[callback.kind]
        counts["attempted"] += 1
        counts["answered"] += isinstance(outcome, int)
        counts[word] += 1

    def ended(self, callback: Callback, forgery: Forgery | None, outcome: int | str) -> bool:
        """A delivery is over. Whether it was the first true one to be accepted."""
        fate = self.fates[_name(callback)]
        fate.outstanding -= 1
        self.outstanding -= 1
        first = not forgery and not fate.accepted and outcome_word(outcome) == "2xx"
        fate.accepted = fate.accepted or first
        return first

    def is_lost(self, callback: Callback) -> bool:
        """Whether no answer is to come any more, and none was a good one."""
        fate = self.fates[_name(callback)]
        return not fate.outstanding and not fate.accepted

    def truth(self) -> Json:
        total: Counter[str] = Counter()
        for counts in self.by_kind.values():
            total.update(counts)
        return {
            "by_kind": {
                kind: {column: counts[column] for column in COLUMNS} for kind, counts in sorted(self.by_kind.items())
            },
            "total": {column: total[column] for column in COLUMNS},
            "forged": {"total": self.forged.total(), "by_way": dict(sorted(self.forged.items()))},
            "forged_outcomes": dict(sorted(self.forged_outcomes.items())),
        }

    def attempts(self) -> list[Json]:
        """Each callback in the order of their making, and how its attempts ended."""
        return [
            {
                "kind": kind,
                "sid": sid,
                "what": fate.what,
                "outcomes": " ".join(fate.outcomes),
                "accepted": fate.accepted,
            }
            for (kind, sid, _), fate in self.fates.items()
        ]

    def dropped(self) -> Json:
        """The SIDs that the plan struck, by why: the same for the same seed and history."""
        return {
            why.value: sorted({sid for (_, sid, _), fate in self.fates.items() if fate.drop is why}) for why in Drop
        }

    def lost(self) -> list[Json]:
        """By name, since in real time the order in which they were made is that of the requests."""
        return [
            {"kind": kind, "sid": sid, "what": fate.what}
            for (kind, sid, _), fate in sorted(self.fates.items(), key=lambda named: named[0])
            if not fate.outstanding and not fate.accepted
        ]


def outcome_word(outcome: int | str) -> str:
    if not isinstance(outcome, int):
        return "no_answer"
    return "2xx" if 200 <= outcome < 300 else "403" if outcome == 403 else "other"


def _name(callback: Callback) -> Name:
    return callback.kind, callback.sid, callback.ordinal
