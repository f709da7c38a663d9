"""The client of the hands in front of an inhabited emulator: in this process, in virtual time, without sockets."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import httpx
from obstore.store import MemoryStore
from pydantic import SecretStr

from deploy.emulator.account import Account as Theirs
from deploy.emulator.app import create_app
from deploy.emulator.faults import RestFaults
from deploy.emulator.rest.operations import ROOT
from ingest.contract.events import Event
from processors.contract.actions import ACTIONS, Action, AnyList, ListAction
from sinks.app import create_errands
from sinks.ledger.claim import Claim
from sinks.ledger.entries import Entry
from sinks.ledger.listing import read_list
from sinks.ledger.port import MemoryLedger
from sinks.media.downloading import PATIENCE
from sinks.media.objects import Objects
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.replies import Reply
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, TOKEN
from tests.deploy.emulator.inhabited import TALK, Inhabited, inhabited, offered

PROVIDER, DOOR = "http://127.0.0.1", "https://door.example.com"
SERVICE, MOST_BYTES = "MG" + "5" * 32, 1 << 20
SOON, LATER, TOO_LATE = "2026-01-01T00:04:00Z", "2026-01-02T09:00:00Z", "2026-02-20T00:00:00Z"
"""The emulator's virtual time begins with 2026, and by now some minutes of it are over."""

Fields = Mapping[str, Any]


class The(str):
    """The SID, or the number, of what is called so in the emulated account."""

    __slots__ = ()


class Asked(NamedTuple):
    """One request. Every value of a form is a list."""

    method: str
    path: str
    form: Mapping[str, list[str]]


@dataclass
class Emulated:
    """`world` is the provider with all that exists there, `twilio` the client; what it asked and published is kept."""

    world: Inhabited
    token: str = TOKEN
    door: str = DOOR
    asked: list[Asked] = field(default_factory=list)
    published: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        account = Account(sid=ACCOUNT, password=SecretStr(self.token), base_url=PROVIDER)
        wire = _Wire(self.world, self.asked)
        self.twilio = Twilio({ACCOUNT: account}, self.door, timeout=5, connections=1, transport=wire)
        self.errands = create_errands(self.twilio, self.door, Objects(MemoryStore()), MOST_BYTES)

    @property
    def account(self) -> Theirs:
        return self.world.exchange.account

    def the(self, kind: str, name: str) -> Any:
        """One of the account's resources of a kind."""
        return getattr(self.account, kind)[self.world.sids[name]]

    def fill(self, value: Any) -> Any:
        """A value with the SIDs of what it names."""
        if isinstance(value, The):
            return self.world.sids[value]
        if isinstance(value, Mapping):
            return {name: self.fill(each) for name, each in value.items()}
        return [self.fill(each) for each in value] if isinstance(value, list) else value

    def action(self, name: str, fields: Fields, action_id: str = "a-1") -> Action:
        document = {"account_sid": ACCOUNT, "ordering_key": "k", "id": action_id, "type": name}
        return ACTIONS.validate_python({**document, **self.fill(fields)})

    async def perform(self, action: Action) -> Reply:
        """As the performer does; a list is read to its end."""
        if OPERATIONS[action.type].errand:
            entry = Entry(action, attempts=PATIENCE, leased_until=60)
            return await self.errands[action.type](action, Claim(MemoryLedger(), entry, 60, lambda: 0, _pause))
        return await self._read(action) if isinstance(action, ListAction) else await self.twilio.perform(action)

    async def _read(self, action: AnyList) -> Reply:
        async def publish(events: Sequence[Event]) -> None:
            self.published += events

        return await read_list(action, lambda uri: self.twilio.page(action, uri), publish, _pause)

    @contextmanager
    def failing(self, **odds: float) -> Iterator[None]:
        """Every request is struck by these faults of the emulator's plan."""
        plan = self.account.plan
        self.account.plan = replace(plan, rest=RestFaults(**odds))  # type: ignore[arg-type]  # probabilities
        try:
            yield
        finally:
            self.account.plan = plan


async def _pause(attempt: int) -> None:
    raise AssertionError("nothing is tried twice")


class _Wire(httpx.ASGITransport):
    """The way to the emulator's application; writes down what is asked."""

    def __init__(self, world: Inhabited, asked: list[Asked]) -> None:
        super().__init__(create_app(world.exchange))
        self._asked = asked

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs((await request.aread()).decode(), keep_blank_values=True)
        self._asked.append(Asked(request.method, request.url.path, form))
        return await super().handle_async_request(request)


async def emulated() -> Emulated:
    """With some more than the emulator's own tests ask about: what is not yet so far, and what is already."""
    world = await inhabited()
    sids, made = world.sids, world.make
    later = {"To": "+15559000030", "MessagingServiceSid": SERVICE, "Body": "Later", "ScheduleType": "fixed"}
    for name in ("scheduled", "called off"):
        sids[name] = made("Messages", **later, SendAt=LATER)["sid"]
    made(f"Messages/{sids['called off']}", Status="canceled")
    sids["other"] = next(each for each in world.exchange.account.participants if _is_other(world, each))
    other = f"Conferences/{sids['meeting']}/Participants/{sids['other']}"
    made(other, Muted="true", Hold="true", Coaching="true", CallSidToCoach=sids["person"])
    sids["paused"] = sids["recording of meeting"]
    made(f"Conferences/{sids['meeting']}/Recordings/{sids['paused']}", Status="paused")
    sids["its number"] = world.exchange.account.numbers[sids["number"]].phone_number
    sids["for sale"], sids["somebody"] = offered(world, "US", "Local"), "+15559000013"
    sids["sending"] = made("Messages", To="+15559000031", From=SENDER, Body="Now")["sid"]
    for name in ("ringing", "missed"):
        sids[name] = made("Calls", To="+15559000032", From=SENDER, Twiml=TALK)["sid"]
    made(f"Calls/{sids['missed']}", Status="canceled")
    world.ask("GET", f"{ROOT}/Accounts.json")  # it is made when it is first asked for, and looking may change nothing
    return Emulated(world)


def _is_other(world: Inhabited, sid: str) -> bool:
    each = world.exchange.account.participants[sid]
    return each.conference_sid == world.sids["meeting"] and sid != world.sids["person"]


def below(path: str, account: str = ACCOUNT) -> str:
    """A request's path below the account, or the root."""
    return path.removeprefix(f"{ROOT}/").removeprefix(f"Accounts/{account}/")
