"""What takes several requests, and what depends on when it is asked: how the performer hands it on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest.contract.codec import decode
from ingest.contract.events import RecordingArchived
from processors.contract.actions import Action, AnyList, DownloadRecording, ListRecordings
from sinks.ledger import claim
from sinks.ledger.claim import Claim
from sinks.ledger.port import MemoryLedger
from sinks.twilio.replies import Done, Reply
from tests.conftest import until
from tests.sinks.ledger.conftest import PACE, Script, desk
from tests.sinks.ledger.given import ACCOUNT

RECORDING = "RE" + "3" * 32
BODY: dict[str, object] = {"sid": RECORDING, "account_sid": ACCOUNT, "status": "completed"}
STORED = {"kind": "download", "sid": RECORDING, "location": "AC/x.wav", "bytes": 7, "sha256": "0" * 64}


def download(*, delete_after: bool = False) -> DownloadRecording:
    return DownloadRecording(
        id="d", account_sid=ACCOUNT, ordering_key="d", recording_sid=RECORDING, delete_after=delete_after
    )


async def test_an_errand_is_run_by_its_own_and_its_result_says_what_it_found() -> None:
    asked: list[tuple[str, int]] = []

    async def errand(action: Action, claim: Claim) -> Reply:
        asked.append((action.id, claim.attempts))
        assert await claim.kept()
        return Done(200, BODY, (STORED,))

    script = Script([])
    async with desk(script, errands={"recordings.download": errand}) as at:
        await at.ask(download())
        await until(lambda: bool(at.results()))
        [result] = at.results()
        assert (result.outcome, result.resource_sid) == ("done", RECORDING)
        assert result.model_dump(mode="json", exclude_none=True)["resources"] == [STORED]
        assert [r.topic for r in at.producer.records] == ["comms.recordings"] * 2 + ["comms.action-results"]
        archived = decode(at.producer.records[1].headers, at.producer.records[1].value).event
        assert isinstance(archived, RecordingArchived)
        assert (archived.recording_sid, archived.account_sid) == (RECORDING, ACCOUNT)
        told = (archived.location, archived.sha256, archived.size)
        assert told == (STORED["location"], STORED["sha256"], STORED["bytes"])
    assert (asked, script.asked) == ([("d", 1)], [])


async def test_an_errand_keeps_its_lease_however_long_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "RENEWED_AT", 0.99)
    ledger = MemoryLedger()

    async def errand(action: Action, claim: Claim) -> Reply:
        first = ledger.entries["d"].leased_until
        await until(lambda: ledger.entries["d"].leased_until > first)
        return Done(200, BODY, (STORED,))

    async with desk(Script([]), ledger=ledger, errands={"recordings.download": errand}) as at:
        await at.ask(download())
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("d", "done", None)]


async def test_in_a_dry_run_nothing_is_deleted_after() -> None:
    async def errand(action: Action, claim: Claim) -> Reply:
        return Done(200, BODY, (STORED,))

    dry = replace(PACE, terms=replace(PACE.terms, dry_run=True))
    async with desk(Script([]), dry, errands={"recordings.download": errand}) as at:
        await at.ask(download(), download(delete_after=True).model_copy(update={"id": "e", "ordering_key": "e"}))
        await until(lambda: len(at.results()) == 2)
        assert sorted(at.outcomes()) == [("d", "done", None), ("e", "refused", "dry_run")]


async def test_an_age_counts_from_when_the_list_is_read() -> None:
    class Listing(Script):
        async def page(self, action: AnyList, uri: str | None) -> Reply:
            assert isinstance(action, ListRecordings)
            assert action.older_than is None
            before.append(action.date_created_before)
            return Done(200, {"recordings": [BODY]})

    before: list[datetime | None] = []
    async with desk(Listing([])) as at:
        wanted = ListRecordings(id="l", account_sid=ACCOUNT, ordering_key="l", older_than="30d", sids=True)
        await at.ask(wanted)
        await until(lambda: bool(at.results()))
        [result] = at.results()
        assert result.model_dump(mode="json")["resources"] == [{"kind": "reference", "sid": RECORDING}]
    [end] = before
    assert end is not None
    assert timedelta(0) <= datetime.now(UTC) - timedelta(days=30) - end < timedelta(minutes=1)
