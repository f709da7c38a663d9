"""A provider in virtual time and in this process: its receiver is a function, and a call of an hour takes no time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from deploy.emulator.account import Account
from deploy.emulator.callbacks.carrying import in_process
from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.clocks import VirtualClock
from deploy.emulator.errors import Json
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import plan_from
from deploy.emulator.forms import Form
from deploy.emulator.lives.calls import hang_up
from deploy.emulator.lives.inbound import Text, receive
from deploy.emulator.lives.script import Ring, place, redirect, ring
from deploy.emulator.resources import Call, Message, Params, Target
from deploy.emulator.rest.operations import perform

ACCOUNT, TOKEN = "AC" + "e" * 32, "0123456789abcdef0123456789abcdef"
OURS, SOMEBODY = "+15005550006", "+15552223333"
BASE = "https://ours.example.org"
EVENTS = "initiated ringing answered completed"
# Everybody answers and talks for an hour: what ends a call is what it is told.
PATIENT: Mapping[str, object] = {"calls": {"completed": 1}, "call_seconds": [3600, 3600]}


@dataclass
class Line:
    """`documents` are what each path answers: TwiML, or a status without a body. Any other answers 204."""

    documents: dict[str, str | int] = field(default_factory=dict)
    chances: Mapping[str, object] = field(default_factory=lambda: PATIENT)
    seed: int = 1
    requests: list[tuple[str, Params]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.account = Account(ACCOUNT, self.seed, plan_from({"chances": dict(self.chances)}))
        self.exchange = Exchange(self.account, Keys(TOKEN), VirtualClock(), in_process(self._receive))

    async def _receive(self, request: Outgoing) -> tuple[int, str]:
        parts = urlsplit(request.url)
        encoded = parts.query if request.method == "GET" else request.body.decode()
        self.requests.append((parts.path, dict(parse_qsl(encoded, keep_blank_values=True))))
        document = self.documents.get(parts.path, 204)
        return (document, "") if isinstance(document, int) else (200, f"<Response>{document}</Response>")

    def at(self, path: str) -> list[Params]:
        return [params for where, params in self.requests if where == path]

    def told(self, name: str, path: str) -> list[str]:
        """The values of one parameter of what arrived at a path, in order."""
        return [params.get(name, "") for params in self.at(path)]

    def now(self) -> datetime:
        return self.exchange.clock.now()

    def dial(self, document: str | None = None, **more: str) -> Call:
        """An outbound call that performs `document`, or what `/voice` answers."""
        what = {"Url": f"{BASE}/voice"} if document is None else {"Twiml": f"<Response>{document}</Response>"}
        told = {"StatusCallback": f"{BASE}/status", "StatusCallbackEvent": EVENTS}
        form = Form(urlencode({"To": SOMEBODY, "From": OURS, **what, **told, **more}))
        return self.exchange.change(lambda account, now: place(account, form, now))

    def ring(self, from_: str = SOMEBODY, fallback: str | None = None, path: str = "/voice") -> Call:
        """An inbound call that performs what `path` answers."""
        answer = Target(BASE + path, fallback=Target(BASE + fallback) if fallback else None)
        rung = Ring(from_, OURS, answer, Target(f"{BASE}/status"))
        return self.exchange.change(lambda account, now: ring(account, rung, now))

    def text(
        self,
        path: str,
        from_: str = SOMEBODY,
        fallback: str | None = None,
        media: Sequence[tuple[str, str]] = (),
        service: str | None = None,
    ) -> Message:
        """An inbound message that `path` is told of."""
        instead = Target(BASE + fallback) if fallback else None
        channel, colon, _ = from_.rpartition(":")
        text = Text(from_, channel + colon + OURS, "hello", BASE + path, service=service, media=media, fallback=instead)
        return self.exchange.change(lambda account, now: receive(account, text, now))

    def post(self, path: str, **said: str) -> None:
        """A REST request that makes something."""
        self.change(path, 201, **said)

    def change(self, path: str, status: int = 200, method: str = "POST", **said: str) -> None:
        """A REST request that changes something, and its HTTP status."""
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        reply = self.exchange.change(
            lambda account, now: perform(account, method, base, f"{path}.json", "", urlencode(said), now)
        )
        assert reply.status == status, reply.body

    def redirect(self, call: Call, **form: str) -> None:
        self.exchange.change(lambda account, now: redirect(account, call, Form(urlencode(form)), now))

    def hang_up(self, call: Call) -> None:
        """As somebody does who was talked to."""
        self.exchange.change(lambda account, now: hang_up(account, call, now))

    async def move(self, seconds: float | None = None) -> None:
        await self.exchange.move(seconds)

    def truth(self) -> Json:
        return self.exchange.callbacks.deliveries.truth()


def form(**said: str) -> Form:
    """Parameters as REST would bring them."""
    return Form(urlencode(said))
