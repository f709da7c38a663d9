"""A sweep with in-memory twins and a virtual clock, and the rows that it is tried on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from processors.contract.actions import Action
from processors.contract.changes import Change, Kind
from processors.contract.codec import decode_action, decode_change
from processors.domain.due import Deadlines, due
from processors.domain.facts import Attribute, Facts, Resource
from processors.domain.rulebook import write_down
from processors.domain.rules import parse_rules
from processors.domain.stamps import Stamp, stamp
from processors.domain.sweeping import Windows
from processors.metrics import create_metrics
from processors.store.port import MemoryStore
from processors.stream.producer import MemoryProducer
from processors.sweep import Plan, Sweep, SweepMetrics

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
CONFERENCE = "CF" + "4" * 32
HOUR, DAY = 3600.0, 86_400.0
PARTITIONS = 12
LENGTH: Mapping[Kind, float] = {"message": 300.0, "call": 300.0, "recording": 300.0, "conference": 3600.0}
PLAN = Plan((), Windows(LENGTH), poll=0.01, retry_first=0.01, retry_most=0.02)
DEADLINES = Deadlines(
    {"message": HOUR, "call": HOUR, "recording": HOUR, "conference": HOUR, "participant": HOUR}, attempts=3
)
RULES = write_down(
    parse_rules(
        """
rules:
  - name: no-receipt
    when: {kind: message, status: sent}
    settle: 30s
    unless: {status: delivered}
    then: [{action: messages.create, with: {to: "{to}", from: "{from}", body: "Did you get it?"}}]
  - name: only-tried
    when: {kind: recording, status: paused}
    settle: 30s
    dry_run: true
    then: [{action: recordings.fetch, with: {recording_sid: "{key}"}}]
"""
    )
)


@dataclass
class Bench:
    """A sweep with its twins; `pass_time` is the only clock."""

    plan: Plan = PLAN
    dry_run: bool = False
    store: MemoryStore = field(default_factory=MemoryStore)
    producer: MemoryProducer = field(default_factory=MemoryProducer)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    seconds: float = 0.0
    sweep: Sweep = field(init=False)

    def __post_init__(self) -> None:
        self.sweep = self.worker(self.registry)

    def worker(self, registry: CollectorRegistry) -> Sweep:
        return Sweep(
            self.store, self.producer, RULES, DEADLINES, self.plan, create_metrics(registry), SweepMetrics(registry),
            "comms", b"0123456789abcdef", self.now, partitions, self.dry_run,
        )  # fmt: skip

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def after(self, seconds: float) -> bool:
        self.seconds = seconds
        return await self.sweep.run_once()

    def put(self, *rows: Resource) -> None:
        self.store.rows.update({row.key: row._replace(due=due(row, RULES, DEADLINES)) for row in rows})

    def actions(self) -> Sequence[Action]:
        return [decode_action(r.value) for r in self.producer.records if r.topic == "comms.actions"]

    def changes(self) -> Sequence[Change]:
        return [decode_change(r.value) for r in self.producer.records if r.topic == "comms.changes"]

    def counted(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"switchhook_processors_{name}", labels)


async def partitions() -> int:
    return PARTITIONS


def message(number: int = 1, *more: str, received: Stamp | None = None) -> Resource:
    seen = {name: (received or stamp(START), None) for name in ("queued", "sent", *more)}
    attributes: dict[str, Attribute] = {
        "from": ("+15550001111", -1, ""),
        "to": ("+15552223333", -1, ""),
        "unsolicited": (True, -1, ""),
    }
    return Resource(f"SM{number:032x}", "message", ACCOUNT, 1, Facts(seen, attributes=attributes))


def call(number: int = 1, received: Stamp | None = None) -> Resource:
    seen = {"ringing": (received or stamp(START), None)}
    return Resource(f"CA{number:032x}", "call", ACCOUNT, 1, Facts(seen))


def ended(number: int = 1, received: Stamp | None = None) -> Resource:
    row = call(number, received)
    return row._replace(facts=row.facts._replace(statuses={"completed": row.facts.statuses["ringing"]}))


def participant(number: int = 1) -> Resource:
    facts = Facts(events={"participant-join": (stamp(START), None)}, attributes={"present": (True, 1, "")})
    return Resource(f"{CONFERENCE}/CA{number:032x}", "participant", ACCOUNT, 1, facts)


def conference(*statuses: str) -> Resource:
    return Resource(CONFERENCE, "conference", ACCOUNT, 1, Facts(dict.fromkeys(statuses, (stamp(START), None))))
