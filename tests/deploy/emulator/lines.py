"""A provider in virtual time whose receiver answers documents: a call of an hour takes no time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from deploy.emulator.callbacks.carrying import Received
from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.errors import Json
from deploy.emulator.forms import Form
from deploy.emulator.lives.calls import hang_up
from deploy.emulator.lives.inbound import Text, receive
from deploy.emulator.lives.script import Ring, place, redirect, ring
from deploy.emulator.resources import Call, Message, Params, Target
from tests.deploy.emulator.conftest import SENDER, SOMEBODY
from tests.deploy.emulator.virtual import World

OURS = SENDER
BASE = "https://ours.example.org"
EVENTS = "initiated ringing answered completed"
# Everybody answers and talks for an hour: what ends a call is what it is told.
PATIENT: Mapping[str, object] = {"calls": {"completed": 1}, "call_seconds": [3600, 3600]}


Document = str | int | tuple[int, str, str]


class Line(World):
    """`documents` are what each path answers: TwiML, a status without a body, or status, body and type; else 204."""

    def __init__(
        self,
        documents: Mapping[str, Document] | None = None,
        chances: Mapping[str, object] = PATIENT,
        seed: int = 1,
    ) -> None:
        self.documents = documents or {}
        super().__init__({"chances": dict(chances)}, seed, self._document)

    def _document(self, request: Outgoing) -> Received:
        document = self.documents.get(urlsplit(request.url).path, 204)
        if isinstance(document, str):
            return 200, f"<Response>{document}</Response>"
        return (document, "") if isinstance(document, int) else document

    @property
    def heard(self) -> list[tuple[str, Params]]:
        """The path and the parameters of each request, in order."""
        return [_read(request) for request in self.requests]

    def at(self, path: str) -> list[Params]:
        return [params for where, params in self.heard if where == path]

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
        media: Sequence[str] = (),
        service: str | None = None,
    ) -> Message:
        """An inbound message that `path` is told of."""
        instead = Target(BASE + fallback) if fallback else None
        channel, colon, _ = from_.rpartition(":")
        told = Target(BASE + path, fallback=instead)
        text = Text(from_, channel + colon + OURS, "hello", told, service=service, media=media)
        return self.exchange.change(lambda account, now: receive(account, text, now))

    def make(self, path: str, **said: str) -> None:
        """A REST request that makes something."""
        self.change(path, 201, **said)

    def change(self, path: str, status: int = 200, method: str = "POST", **said: str) -> None:
        """A REST request that changes something, and its HTTP status."""
        reply = self.ask(method, path, said)
        assert reply.status == status, reply.body

    def redirect(self, call: Call, **form: str) -> None:
        self.exchange.change(lambda account, now: redirect(account, call, Form(urlencode(form)), now))

    def hang_up(self, call: Call) -> None:
        """As somebody does who was talked to."""
        self.exchange.change(lambda account, now: hang_up(account, call, now))

    async def move(self, seconds: float | None = None) -> None:
        await self.exchange.move(seconds)

    def deliveries(self) -> Json:
        return self.exchange.callbacks.deliveries.truth()


def _read(request: Outgoing) -> tuple[str, Params]:
    parts = urlsplit(request.url)
    encoded = parts.query if request.method == "GET" else request.body.decode()
    return parts.path, dict(parse_qsl(encoded, keep_blank_values=True))


def form(**said: str) -> Form:
    """Parameters as REST would bring them."""
    return Form(urlencode(said))
