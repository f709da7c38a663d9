"""A team that asks for everything the hands can do, and for what follows once the provider says how things stand.

The same for the same count. What it asks for in one go has one ordering key, so it is performed in that order; and what
is there in the end follows from what was done, the last of each.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from deploy.emulator.lives.inventory import everywhere
from ingest.contract import codec as events
from ingest.contract.events import CallUpdated, ConferenceUpdated, RecordingUpdated
from ingest.contract.kafka import Kafka
from ingest.contract.topics import CALLS, CONFERENCES, RECORDINGS
from processors.contract import actions as do
from processors.contract.actions import Action
from processors.contract.codec import encode_action
from processors.contract.topics import ACTIONS
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing
from sinks.contract.codec import decode_result
from sinks.contract.results import Outcome, Result
from sinks.contract.topics import RESULTS
from tests.ingest.conftest import ACCOUNT

OURS, REFUSED, SERVICE = "+15005550006", "+15005550001", "MG" + "4" * 32
WAIT = '<Response><Pause length="86400"/></Response>'
SEATS, SPELL = 3, 0.25
TOLD_BY = (CALLS, CONFERENCES, RECORDINGS, RESULTS)

AREAS = ("212", "213", "312", "415", "510", "808", "800", "833", "855", "866", "877", "888")
"""Of each of these one number is bought, whichever."""


class Team:
    """`place` answers with TwiML that waits, and to announcements."""

    def __init__(self, kafka: Kafka, count: int, seed: int, place: str) -> None:
        self.asked: dict[str, Action] = {}
        self.results: dict[str, Result] = {}
        self.outcomes: dict[str, set[str]] = {}
        self._kafka, self._count, self._place = kafka, count, place
        sold = dict.fromkeys(each.phone_number for each in everywhere(seed))
        self._stock = [number for number in sold if number[2:5] not in AREAS]
        self._numbers: dict[str, Iterator[int]] = defaultdict(itertools.count)
        self._seated: dict[str, dict[str, str]] = {}
        self._producer = KafkaProducer(kafka)
        self._consumer = AIOKafkaConsumer(
            *(topic.called(kafka.topic_prefix) for topic in TOLD_BY),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **kafka.aiokafka_options(),
        )

    async def start(self) -> None:
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()
        await self._producer.stop()

    async def run(self, rate: float) -> None:
        """Asks for so many things a second, until as many as wanted are asked for; what follows comes on top of it."""
        lives, handful = self._lives(), max(1, round(rate * SPELL))
        while len(self.asked) < self._count:
            await self._ask([action for life in itertools.islice(lives, handful) for action in life])
            await asyncio.sleep(SPELL)

    async def follow(self) -> None:
        """Hears what became of it and asks for what follows, until canceled."""
        async for record in self._consumer:
            if record.topic == RESULTS.called(self._kafka.topic_prefix):
                await self._ask(self._after_result(decode_result(record.value)))
            else:
                await self._ask(self._after_event(events.decode(record.headers, record.value)))

    async def behind(self) -> int:
        """Records that it has not heard yet."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        return sum([max(0, end - await self._consumer.position(each)) for each, end in ends.items()])

    def open(self) -> int:
        return len(self.asked.keys() - self.results.keys())

    async def _ask(self, actions: Sequence[Action]) -> None:
        new = [action for action in actions if action.id not in self.asked]
        self.asked.update({action.id: action for action in new})
        records = []
        for action in new:
            key, value, headers = encode_action(action, source=b"switchhook/tests")
            records.append(Outgoing(ACTIONS.called(self._kafka.topic_prefix), key, value, headers))
        while records:
            try:
                await self._producer.publish(records)
                return
            except BrokerUnavailable:
                await asyncio.sleep(0.2)

    def _lives(self) -> Iterator[Sequence[Action]]:
        """Without end, in a mix that goes round."""
        mix: Sequence[tuple[Callable[[int], Sequence[Action]], int]] = (
            (self._text, 30), (self._call, 8), (self._picture, 2), (self._twin, 2), (self._conference, 2),
            (self._verify, 2), (self._number, 1), (self._odd, 1), (self._reads, 1),
        )  # fmt: skip
        while True:
            for life, share in mix:
                for _ in range(share):
                    yield life(next(self._numbers[life.__name__]))

    def _text(self, n: int) -> Sequence[Action]:
        """Of some it is asked whether they are there."""
        text = message(f"text-{n}", to=f"+1202{n:07d}", from_=OURS, body=f"Your order {n}")
        listing = do.ListMessages(**who(f"text-{n}-list", f"text-{n}"), to=text.to, limit=10)
        return [text, listing] if n % 5 == 0 else [text]

    def _twin(self, n: int) -> Sequence[Action]:
        """The same text to the same person twice, each meant."""
        return [message(f"twin-{n}-{k}", to=f"+1203{n:07d}", from_=OURS, body="Hello") for k in range(2)]

    def _odd(self, n: int) -> Sequence[Action]:
        """One that the provider refuses, one by a service, and one whose recipient the provider does not keep."""
        return [
            message(f"refused-{n}", to=REFUSED, from_=OURS, body=f"Never {n}"),
            message(f"service-{n}", to=f"+1205{n:07d}", messaging_service_sid=SERVICE, body=f"Served {n}"),
            message(f"hidden-{n}", to=f"+1206{n:07d}", from_=OURS, body=f"Hush {n}", address_retention="obfuscate"),
        ]

    def _picture(self, n: int) -> Sequence[Action]:
        picture = ("https://example.com/a.png",)
        return [message(f"picture-{n}", to=f"+1207{n:07d}", from_=OURS, body=f"See {n}", media_url=picture)]

    def _call(self, n: int) -> Sequence[Action]:
        name = f"call-{n}"
        return [do.CreateCall(**who(name), to=f"+1303{n:07d}", from_=OURS, twiml=WAIT, time_limit=86_400)]

    def _conference(self, n: int) -> Sequence[Action]:
        return [
            do.AddParticipant(
                **who(f"seat-{n}-{seat}", f"conference-{n}"), conference=f"conference-{n}", time_limit=86_400,
                to=f"+1404{n:04d}{seat:03d}", from_=OURS,
            )
            for seat in range(SEATS)
        ]  # fmt: skip

    def _number(self, n: int) -> Sequence[Action]:
        """Of each area one, the others by what they are; their names tell who bought them."""
        wanted = {"area_code": AREAS[n]} if n < len(AREAS) else {"phone_number": self._stock[n]}
        return [do.BuyNumber(**who(f"number-{n}"), friendly_name=f"number-{n}", **wanted)]

    def _verify(self, n: int) -> Sequence[Action]:
        return [do.VerifyCallerId(**who(f"verify-{n}"), phone_number=f"+1505{n:07d}")]

    def _reads(self, n: int) -> Sequence[Action]:
        whom = (who(f"read-{n}-{k}") for k in itertools.count())
        return [
            do.SearchNumbers(**next(whom), country_code="US", area_code=212),
            do.FetchBalance(**next(whom)),
            do.ListCallerIds(**next(whom)),
        ]

    def _after_result(self, result: Result) -> Sequence[Action]:
        self.results[result.action_id] = result
        self.outcomes.setdefault(result.action_id, set()).add(result.outcome)
        life, _, rest = result.action_id.partition("-")
        sid = result.resource_sid
        if result.outcome is not Outcome.DONE:
            return ()
        if life == "picture" and rest.isdigit() and sid:
            return [do.ListMedia(**who(f"{result.action_id}-media", sid), message_sid=sid)]
        if life == "picture" and rest.endswith("-media"):
            media: Sequence[Any] = result.resources or ()
            return [
                do.DeleteMedia(
                    **who(f"forget-{each.sid}", each.parent_sid), message_sid=each.parent_sid, media_sid=each.sid
                )
                for each in media
            ]
        return self._owned(int(rest), result.action_id, sid) if life == "number" and rest.isdigit() and sid else ()

    def _owned(self, n: int, name: str, sid: str) -> Sequence[Action]:
        configured = do.ConfigureNumber(**who(f"{name}-url", sid), number_sid=sid, sms_url=f"https://example.com/{n}")
        fetched = do.FetchNumber(**who(f"{name}-fetch", sid), number_sid=sid)
        released = do.ReleaseNumber(**who(f"{name}-release", sid), number_sid=sid)
        return [configured, fetched, released] if n % 2 and n >= len(AREAS) else [configured, fetched]

    def _after_event(self, envelope: events.Envelope) -> Sequence[Action]:
        event, name = envelope.event, envelope.correlation or ""
        life, _, number = name.partition("-")
        if isinstance(event, CallUpdated) and event.status == "in-progress" and life == "call":
            return self._answered(int(number), name, event.call_sid)
        if isinstance(event, ConferenceUpdated) and event.event == "participant-join" and event.call_sid:
            seats = self._seated.setdefault(event.conference_sid, {})
            seats[str(event.participant_label)] = event.call_sid
            return self._met(event.conference_sid, seats) if len(seats) == SEATS else ()
        if isinstance(event, RecordingUpdated) and event.status == "completed" and life == "delete":
            return [do.DeleteRecording(**who(f"{name}-gone", event.recording_sid), recording_sid=event.recording_sid)]
        return ()

    def _answered(self, n: int, name: str, sid: str) -> Sequence[Action]:
        """What is done to a call, by turns."""
        whom = {kind: {**who(f"{name}-{kind}", sid), "call_sid": sid} for kind in CALL_STEPS}
        start = do.StartRecording(**whom["start"])
        ours = {"to": f"+1303{n:07d}", "limit": 10, **who(f"{name}-list", sid)}
        turns: Sequence[Sequence[Action]] = (
            [start, do.PauseRecording(**whom["pause"])],
            [start, do.PauseRecording(**whom["pause"]), do.ResumeRecording(**whom["resume"])],
            [start, do.StopRecording(**whom["stop"])],
            [do.RedirectCall(**whom["redirect"], url=f"{self._place}/twiml?action={name}-redirect")],
            [do.HangUpCall(**whom["hang_up"])],
            [start, do.ListRecordings(**whom["recordings"], limit=10), do.FetchCall(**whom["fetch"])],
            [
                do.StartRecording(**{**whom["start"], "id": f"delete-{n}"}),
                do.StopRecording(**whom["stop"]),
            ],
            [do.ListCalls(**ours)],
        )
        return turns[n % len(turns)]

    def _met(self, sid: str, seats: Mapping[str, str]) -> Sequence[Action]:
        """What is done to those in a conference, by turns."""
        first = min(seats)
        name = first.rpartition("-")[0]
        who_is = [seats[label] for label in sorted(seats)]

        def one(kind: str, seat: int | None = None) -> dict[str, Any]:
            of = {} if seat is None else {"call_sid": who_is[seat]}
            return {**who(f"{name}-{kind}", sid), "conference_sid": sid, **of}

        def heard(kind: str) -> str:
            return f"{self._place}/announced?action={name}-{kind}"

        turns: Sequence[Sequence[Action]] = (
            [
                do.MuteParticipant(**one("mute", 0)),
                do.HoldParticipant(**one("hold", 1)),
                do.AnnounceToConference(**one("announce"), announce_url=heard("announce")),
                do.ListParticipants(**one("list")),
            ],
            [
                do.MuteParticipant(**one("mute", 0)),
                do.UnmuteParticipant(**one("unmute", 0)),
                do.RemoveParticipant(**one("remove", 2)),
                do.FetchParticipant(**one("fetch", 1)),
            ],
            [do.EndConference(**one("end"))],
            [
                do.AnnounceToParticipant(**one("announce", 0), announce_url=heard("announce")),
                do.HoldParticipant(**one("hold", 1)),
                do.UnholdParticipant(**one("unhold", 1)),
                do.FetchConference(**one("conference")),
            ],
        )
        return turns[int(name.rpartition("-")[2]) % len(turns)]


CALL_STEPS = ("start", "pause", "resume", "stop", "redirect", "hang_up", "recordings", "fetch")


def who(name: str, key: str | None = None) -> dict[str, Any]:
    return {"id": name, "account_sid": ACCOUNT, "ordering_key": key or name}


def message(name: str, **said: Any) -> do.CreateMessage:
    return do.CreateMessage(**who(name), **said)


def _forgotten(media: Any) -> Action:
    whose = who(f"forget-{media.sid}", media.parent_sid)
    return do.DeleteMedia(**whose, message_sid=media.parent_sid, media_sid=media.sid)
