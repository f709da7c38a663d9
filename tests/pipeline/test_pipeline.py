"""The pipeline in one thread: real cores, in-memory twins, a virtual clock and a seed.

A whole history with duplicates, reordering, batches cut anywhere and crashes runs in milliseconds and repeats by its
seed: `python -m pytest tests/pipeline -k "seed-17"` runs one again.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract import events as e
from ingest.contract.codec import Envelope, encode
from ingest.contract.identity import event_id
from ingest.contract.topics import TOPIC_OF
from processors.advance import Advance
from processors.contract.actions import ActionBase
from processors.contract.changes import Change
from processors.contract.codec import decode_action, decode_change
from processors.domain.rules import parse_rules
from processors.domain.statuses import status
from processors.metrics import create_metrics
from processors.store.port import MemoryStore
from processors.stream.batch import Batch, Record
from processors.stream.producer import Outgoing

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
RULES = parse_rules(
    """
rules:
  - name: again
    when: {kind: message, status: [undelivered, failed]}
    then: [{action: messages.create, with: {to: "{to}", from: "+15005550199", body: "{body}"}}]
  - name: fetch
    when: {kind: recording, status: completed}
    then: [{action: recordings.fetch, with: {recording_sid: "{key}"}}]
"""
)


class Crash(Exception):
    """The process ends here; what was done before stays done."""


@dataclass
class Truth:
    """What the provider did, known without folding anything."""

    statuses: dict[str, str] = field(default_factory=dict)
    fired: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Log:
    """The topics and the database survive a crash; `fuse` says after how many effects the process dies."""

    rows: MemoryStore = field(default_factory=MemoryStore)
    published: list[Outgoing] = field(default_factory=list)
    fuse: int | None = None

    def _burn(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                raise Crash

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            self._burn()
            self.published.append(record)

    async def read(self, keys: Sequence[str]) -> object:
        return await self.rows.read(keys)

    async def write(self, rows: Sequence[object], expected: dict[str, int]) -> None:
        self._burn()
        await self.rows.write(rows, expected)  # type: ignore[arg-type]
        self._burn()


def history(rng: random.Random) -> tuple[list[Envelope], Truth]:
    """Everything the provider says of a few resources, in its own order, and how each of them really ended."""
    said: list[Envelope] = []
    truth = Truth()

    def say(event: e.Event, correlation: str | None = None) -> None:
        at = START + timedelta(seconds=len(said))
        event = event.model_copy(update={"id": event_id(event, str(len(said)))})
        said.append(Envelope(event, "test", at, correlation=correlation))

    def sid(prefix: str) -> str:
        return f"{prefix}{rng.getrandbits(128):032x}"

    for number in range(rng.randint(1, 6)):
        key, made_by = sid("SM"), f"ask-{number}"
        addresses = {"from": "+15550001111", "to": "+15552223333"}
        shown = e.MessageObserved(
            account_sid=ACCOUNT, message_sid=key, status="queued", body="hello", direction="outbound-api", **addresses
        )
        say(shown, made_by)
        end = rng.choice(["delivered", "undelivered", "failed", "sent"])
        for name in ["queued", *([] if end == "failed" else ["sent"]), *([] if end == "sent" else [end])]:
            code = 30005 if name in ("undelivered", "failed") else None
            say(e.MessageUpdated(account_sid=ACCOUNT, message_sid=key, status=name, error_code=code), made_by)
        truth.statuses[key] = end
        if end in ("undelivered", "failed"):
            truth.fired.add(("again", key))
    for _ in range(rng.randint(0, 3)):
        key = sid("CA")
        path = ["initiated", "ringing", *rng.choice([["in-progress", "completed"], ["busy"], ["no-answer"]])]
        for sequence, name in enumerate(path):
            say(e.CallUpdated(account_sid=ACCOUNT, call_sid=key, status=name, sequence_number=sequence))
        truth.statuses[key] = path[-1]
        if path[-1] == "completed":
            recording = sid("RE")
            for name in ("in-progress", "completed"):
                say(e.RecordingUpdated(account_sid=ACCOUNT, recording_sid=recording, status=name, call_sid=key))
            truth.statuses[recording] = "completed"
            truth.fired.add(("fetch", recording))
    for _ in range(rng.randint(0, 2)):
        conference, calls, there, sequence = sid("CF"), [sid("CA") for _ in range(3)], set[str](), 0
        for _ in range(rng.randint(3, 9)):
            call = rng.choice(calls)
            verb = "leave" if call in there else "join"
            there ^= {call}
            sequence += 1
            say(
                e.ConferenceUpdated(
                    account_sid=ACCOUNT,
                    conference_sid=conference,
                    call_sid=call,
                    event=f"participant-{verb}",
                    sequence_number=sequence,
                )
            )
            truth.statuses[f"{conference}/{call}"] = "joined" if call in there else "left"
        for name in ("start", "end"):
            said_end = e.ConferenceUpdated(
                account_sid=ACCOUNT, conference_sid=conference, event=f"conference-{name}", sequence_number=sequence + 1
            )
            say(said_end)
        truth.statuses[conference] = "completed"
    return said, truth


def delivered(said: Sequence[Envelope], rng: random.Random) -> list[Record]:
    """What reaches one partition: shuffled, some of it twice with another received time, some of it unreadable."""
    arriving = [*said]
    for envelope in rng.sample(said, len(said) // 3):
        later = envelope.received + timedelta(seconds=rng.randint(1, 90))
        arriving.append(Envelope(envelope.event, envelope.source, later, correlation=envelope.correlation))
    rng.shuffle(arriving)
    records = []
    for offset, envelope in enumerate(arriving):
        encoded = encode(envelope)
        topic = TOPIC_OF[envelope.event.type.partition(".")[0]].called("comms")
        records.append(Record(topic, 0, offset, 0, encoded.key, encoded.value, encoded.headers))
    bad = Record("comms.messages", 0, len(records), 0, b"SM", b"{", (("ce_type", b"message.updated"),))
    return [*records, bad]


async def run(seed: int) -> tuple[Log, Truth]:
    rng = random.Random(seed)
    said, truth = history(rng)
    records = delivered(said, rng)
    log = Log(fuse=rng.randint(0, len(records) * 2))
    advance = Advance(
        store=log,  # type: ignore[arg-type]  # the log is store and producer at once, so that one fuse serves both
        producer=log,
        rules=RULES,
        metrics=create_metrics(CollectorRegistry()),
        prefix="comms",
        hash_key=b"0123456789abcdef",
        clock=lambda: START + timedelta(hours=1),
    )
    offset = 0
    while offset < len(records):
        size = rng.randint(1, 20)
        try:
            await advance(Batch("comms.messages", 0, records[offset : offset + size]))
        except Crash:
            # The offset was not committed: what the batch was about comes again, cut elsewhere.
            log.fuse = rng.randint(0, 60) if rng.random() < 0.5 else None
            continue
        offset += size
    return log, truth


def of(log: Log, topic: str) -> list[Outgoing]:
    return [record for record in log.published if record.topic == f"comms.{topic}"]


@pytest.mark.parametrize("seed", range(300), ids=lambda seed: f"seed-{seed}")
async def test_every_history_ends_in_the_truth(seed: int) -> None:
    log, truth = await run(seed)

    ended = {key: status(row.kind, row.facts) for key, row in log.rows.rows.items()}
    assert ended == truth.statuses

    asked: dict[str, ActionBase] = {}
    for record in of(log, "actions"):
        action = decode_action(record.value)
        assert asked.setdefault(action.id, action) == action
    assert len(asked) == len(truth.fired)
    assert sorted(a.rule or "" for a in asked.values()) == sorted(rule for rule, _ in truth.fired)

    latest: dict[str, Change] = {}
    for record in of(log, "changes"):
        change = decode_change(record.value)
        if change.key not in latest or change.version >= latest[change.key].version:
            latest[change.key] = change
    assert {key: (c.version, c.status) for key, c in latest.items()} == {
        key: (row.version, ended[key]) for key, row in log.rows.rows.items()
    }

    assert {dict(record.headers)["dl_reason"] for record in of(log, "dead-letters")} == {b"invalid_value"}
