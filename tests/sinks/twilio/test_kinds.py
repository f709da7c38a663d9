"""What has no topic of its own, and what is done to a live call, against the emulator: one story each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingest.contract.events import Event, RecordingObserved
from sinks.ledger.listing import read_list
from sinks.twilio.observations import observe
from sinks.twilio.replies import Done, Listed, Refused
from sinks.twilio.shown import Summary
from tests.conftest import until
from tests.sinks.twilio.conftest import ACCOUNT, OURS, STAYS, Provider, made, message, provider
from tests.sinks.twilio.samples import action

ANSWERS = "+12025550111"


async def asked(at: Provider, name: str, **fields: Any) -> Mapping[str, object]:
    return made(await at.twilio.perform(action(name, fields)))


async def shown(at: Provider, name: str, **fields: Any) -> Summary:
    reply = await at.twilio.perform(action(name, fields))
    assert isinstance(reply, Done), reply
    [resource] = reply.resources
    return resource


async def listed(at: Provider, name: str, **fields: Any) -> Sequence[Summary]:
    sought: Any = action(name, fields)

    async def publish(events: Sequence[Event]) -> None:
        assert not events

    async def pause(attempt: int) -> None:
        pass

    reply = await read_list(sought, lambda uri: at.twilio.page(sought, uri), publish, pause)
    assert isinstance(reply, Listed), reply
    assert reply.observed == len(reply.resources)
    return reply.resources


async def test_a_number_is_searched_for_bought_configured_and_released(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        found = await listed(at, "numbers.search", country_code="US", area_code=510, limit=3)
        assert len(found) == 3
        number = found[0]["phone_number"]
        assert number.startswith("+1510")
        bought = await shown(at, "numbers.buy", phone_number=number, friendly_name="desk")
        sid = bought["sid"]
        assert [each["sid"] for each in await listed(at, "numbers.list", phone_number=number)] == [sid]
        configured = await shown(at, "numbers.configure", number_sid=sid, sms_url="https://a:b@example.com/sms")
        assert (configured["sms_url"], configured["friendly_name"]) == ("https://example.com/sms", "desk")
        assert await shown(at, "numbers.fetch", number_sid=sid) == configured
        for _ in range(2):
            assert await asked(at, "numbers.release", number_sid=sid) == {}, "what is gone is released"
        assert await at.twilio.perform(action("numbers.fetch", {"number_sid": sid})) == Refused(404, 20404)


async def test_an_account_is_looked_at_and_a_caller_id_verified(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        balance = await shown(at, "accounts.balance")
        assert (balance["kind"], balance["account_sid"]) == ("balance", ACCOUNT)
        account = await shown(at, "accounts.fetch")
        assert (account["sid"], "auth_token" in account) == (ACCOUNT, False)
        assert [each["sid"] for each in await listed(at, "accounts.list", status="active")] == [ACCOUNT]
        verification = await shown(at, "caller_ids.verify", phone_number=ANSWERS)
        assert verification["validation_code"]
        assert verification["phone_number"] == "…0111"

        async def verified() -> bool:
            return bool(await listed(at, "caller_ids.list", phone_number=ANSWERS))

        await until(verified)
        [caller_id] = await listed(at, "caller_ids.list", phone_number=ANSWERS)
        sid = caller_id["sid"]
        assert (await shown(at, "caller_ids.update", caller_id_sid=sid, friendly_name="Ada"))["sid"] == sid
        for _ in range(2):
            assert await asked(at, "caller_ids.delete", caller_id_sid=sid) == {}


async def test_a_live_call_is_recorded_with_pauses(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        call = str((await asked(at, "calls.create", **{"to": ANSWERS, "from": OURS, "twiml": STAYS}))["sid"])

        async def talking() -> bool:
            return await at.call(call) == "in-progress"

        await until(talking)
        started = observe("recordings.start", await asked(at, "recordings.start", call_sid=call))
        assert isinstance(started, RecordingObserved)
        [there] = (await at.truth())["recordings"]
        assert there["sid"] == started.recording_sid
        statuses = {"pause": {"paused"}, "resume": {"in-progress"}, "stop": {"stopped", "processing"}}
        for name, possible in statuses.items():
            body = await asked(at, f"recordings.{name}", call_sid=call)
            told = observe(f"recordings.{name}", body)
            assert isinstance(told, RecordingObserved)
            assert told.recording_sid == started.recording_sid
            assert told.status in possible


async def test_those_in_a_conference_are_announced_to_and_coached(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        people = [
            await asked(
                at, "participants.add", **{"id": f"p-{n}", "conference": "a", "to": f"+1202555060{n}", "from": OURS}
            )
            for n in (1, 2)
        ]
        room = str(people[0]["conference_sid"])
        where = {"conference_sid": room, "call_sid": str(people[0]["call_sid"])}

        async def started() -> bool:
            return (await asked(at, "conferences.fetch", conference_sid=room))["status"] == "in-progress"

        await until(started)
        url = "https://example.com/announcement"
        assert (await asked(at, "conferences.announce", conference_sid=room, announce_url=url))["sid"] == room
        assert (await asked(at, "participants.announce", **where, announce_url=url))["call_sid"] == where["call_sid"]
        other = str(people[1]["call_sid"])
        assert (await asked(at, "participants.coach", **where, call_sid_to_coach=other))["coaching"] is True
        assert (await asked(at, "participants.coach", **where, coaching=False))["coaching"] is False
        changed = await asked(at, "participants.update", **where, end_conference_on_exit=True)
        assert changed["end_conference_on_exit"] is True


async def test_whether_a_message_came_is_told(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        sid = str(made(await at.twilio.perform(message()))["sid"])
        assert (await asked(at, "messages.feedback", message_sid=sid))["outcome"] == "confirmed"
        assert await listed(at, "media.list", message_sid=sid) == ()
