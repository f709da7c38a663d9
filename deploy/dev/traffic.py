"""Traffic: what teams ask for, and what people out there do. Bounded in count and time; the same for the same seed.

Actions go through the actions topic, as those of any team; what follows from a resource (hanging up, muting,
removing) waits for its change, as any subscriber would.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx

from deploy.dev.stack import ACCOUNT_SID, Stack
from deploy.dev.watching import Watcher
from ingest.contract.routes import callback_url
from processors.contract.actions import (
    Action,
    AddParticipant,
    CreateCall,
    CreateMessage,
    HangUpCall,
    MuteParticipant,
    RemoveParticipant,
)
from processors.contract.changes import Change
from processors.contract.codec import encode_action
from processors.contract.topics import ACTIONS
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing

OURS, SECOND = "+15005550006", "+15005550199"
TWIML = "<Response><Say>Thank you.</Say></Response>"
SOURCE = b"switchhook/demo"
SPELL = 0.25  # seconds between two handfuls

Request = list[Action] | str
"""Actions asked for together, or the body of an inbound message."""


@dataclass(frozen=True, slots=True)
class Amount:
    messages: int = 2000
    calls: int = 300
    conferences: int = 30
    inbound: int = 150
    seconds: float = 20.0  # over which it is asked


class Traffic:
    def __init__(self, stack: Stack, watcher: Watcher, amount: Amount, seed: int) -> None:
        self._stack = stack
        self._watcher = watcher
        self._amount = amount
        self._random = random.Random(seed)
        self._producer = KafkaProducer(stack.kafka)
        self.asked: list[Action] = []
        self.inbound = 0

    async def run(self) -> None:
        """Asks for everything, spread over its seconds, then ends."""
        planned = self._planned()
        self._random.shuffle(planned)
        handful = max(1, round(len(planned) * SPELL / self._amount.seconds))
        async with self._stack.emulator_client() as people:
            async for some in _paced([planned[at : at + handful] for at in range(0, len(planned), handful)]):
                await self._ask([action for each in some if not isinstance(each, str) for action in each])
                for body in (each for each in some if isinstance(each, str)):
                    await self._write(people, body)

    async def follow(self) -> None:
        """Asks for what follows from changes, until canceled."""
        while True:
            action = follow_up(await self._watcher.fresh.get())
            if action is not None:
                await self._ask([action])

    async def stop(self) -> None:
        await self._producer.stop()

    async def _ask(self, actions: Sequence[Action]) -> None:
        records = []
        for action in actions:
            key, value, headers = encode_action(action, source=SOURCE)
            records.append(Outgoing(ACTIONS.called(self._stack.kafka.topic_prefix), key, value, headers))
        while True:
            try:
                await self._producer.publish(records)
                break
            except BrokerUnavailable:
                await asyncio.sleep(0.2)  # the same ids again: at most once each, however often they are asked for
        self.asked += actions

    async def _write(self, people: httpx.AsyncClient, body: str) -> None:
        """Somebody writes to our number."""
        self.inbound += 1
        url = callback_url(self._stack.public, "message-inbound")
        text = {"from": f"+1415{self.inbound:07d}", "to": OURS, "body": body, "url": url}
        (await people.post("/emulator/inbound/messages", json=text)).raise_for_status()

    def _planned(self) -> list[Request]:
        amount = self._amount
        return [
            *([_message(number)] for number in range(amount.messages)),
            *([_call(number)] for number in range(amount.calls)),
            # At once: whoever is added after the others have left meets nobody.
            *([_participant(each, seat) for seat in range(3 + each % 3)] for each in range(amount.conferences)),
            *("INFO" if number % 5 == 0 else f"Hello no. {number}" for number in range(amount.inbound)),
        ]


def _message(number: int) -> Action:
    identity, to = f"demo-message-{number}", f"+1202{number:07d}"
    return CreateMessage(
        id=identity, account_sid=ACCOUNT_SID, ordering_key=identity, to=to, from_=OURS, body=f"Your order {number}"
    )


def _call(number: int) -> Action:
    identity, to = f"demo-call-{number}", f"+1303{number:07d}"
    return CreateCall(
        id=identity, account_sid=ACCOUNT_SID, ordering_key=identity, to=to, from_=OURS, twiml=TWIML,
        record=number % 2 == 0,
    )  # fmt: skip


def _participant(conference: int, seat: int) -> Action:
    name = f"demo-conference-{conference}"
    return AddParticipant(
        id=f"{name}-{seat}", account_sid=ACCOUNT_SID, ordering_key=name, conference=name,
        to=f"+1404{conference:04d}{seat:03d}", from_=OURS,
        conference_record="record-from-start" if conference % 2 == 0 else None,
    )  # fmt: skip


def follow_up(change: Change) -> Action | None:
    """What the demo's team asks for when it hears of this change. Its id says of which resource, so it asks once."""
    draw = random.Random(change.key).random()
    who = {"account_sid": change.account_sid, "ordering_key": change.key}
    if change.kind == "call" and "status:in-progress" in change.learned and draw < 0.1:
        return HangUpCall(id=f"hang-up-{change.key}", call_sid=change.key, **who)
    if change.kind == "participant" and "event:participant-join" in change.learned and draw < 0.5:
        conference, _, call = change.key.partition("/")
        where = {**who, "conference_sid": conference, "call_sid": call}
        if draw < 0.2:
            return RemoveParticipant(id=f"remove-{conference}.{call}", **where)
        return MuteParticipant(id=f"mute-{conference}.{call}", **where)
    return None


async def _paced(handfuls: Sequence[list[Request]]) -> AsyncIterator[list[Request]]:
    clock = asyncio.get_running_loop().time
    start = clock()
    for at, some in enumerate(handfuls):
        await asyncio.sleep(max(0.0, start + at * SPELL - clock()))
        yield some
