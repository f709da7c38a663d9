"""An emulated account in this process, in virtual time, in which something of every kind exists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from deploy.emulator.errors import Reply
from deploy.emulator.exchange import Exchange
from deploy.emulator.lives.transcriptions import transcribe
from deploy.emulator.rest.operations import ROOT, perform
from tests.deploy.emulator.conftest import ACCOUNT, PATIENT, SENDER, TOKEN, Json
from tests.deploy.emulator.virtual import World

PICTURE, TALK = "https://files.example.com/picture.png", "<Response><Pause length='3000'/></Response>"
MUMBLED = TALK.replace("<Response>", "<Response><Mumble/>")
TEAM = "Front desk"

Fields = Mapping[str, object]


@dataclass
class Inhabited:
    """`sids` are the SIDs of what exists, by what it is here."""

    exchange: Exchange = field(default_factory=lambda: World(PATIENT).exchange)
    sids: dict[str, str] = field(default_factory=lambda: {"account": ACCOUNT})

    def ask(self, method: str, url: str, query: Fields | None = None, form: Fields | None = None) -> Reply:
        """One REST request; `url` is its path, with or without a query."""
        parts = urlsplit(url)
        below = parts.path.removeprefix(f"{ROOT}/Accounts/{ACCOUNT}/")
        base = ROOT if below == parts.path else f"{ROOT}/Accounts/{ACCOUNT}"
        path = below.removeprefix(f"{ROOT}/")
        asked = "&".join(each for each in (parts.query, _encoded(query)) if each)
        return self.exchange.change(
            lambda account, now: perform(account, method, base, path, asked, _encoded(form), now)
        )

    def make(self, path: str, **form: object) -> Json:
        """Something new, below the account."""
        reply = self.ask("POST", f"{ROOT}/Accounts/{ACCOUNT}/{path}.json", form=form)
        assert reply.status in (200, 201), reply.body
        assert reply.body is not None
        return reply.body

    def call(self, to: str, document: str = TALK) -> str:
        return str(self.make("Calls", To=to, From=SENDER, Twiml=document, Record="true")["sid"])

    def meeting(self, name: str) -> tuple[str, str]:
        """A recorded conference of two people: its SID, and the call of one of them."""
        people = [
            self.make(
                f"Conferences/{name}/Participants",
                To=f"+1555900000{n}",
                From=SENDER,
                Label=f"{name}-{n}",
                ConferenceRecord="true",
            )
            for n in (1, 2)
        ]
        return str(people[0]["conference_sid"]), str(people[0]["call_sid"])

    def recording(self, of: str) -> str:
        recordings = self.exchange.account.recordings.values()
        [found] = [each.sid for each in recordings if of in (each.call_sid, each.conference_sid)]
        return found

    def sdk(self) -> "tuple[Client, Wire]":
        """The official client, and the wire between it and this account."""
        wire = Wire(self)
        bare = {"nothing": "of this machine's environment"}
        return Client(ACCOUNT, TOKEN, http_client=wire, environment=bare), wire  # type: ignore[no-untyped-call]


class Wire(HttpClient):
    """The SDK's HTTP, without sockets; keeps what was asked."""

    def __init__(self, world: Inhabited) -> None:
        self._world = world
        self.asked: list[tuple[str, str]] = []

    def request(
        self,
        method: str,
        url: str,
        params: Fields | None = None,
        data: Fields | None = None,
        headers: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = False,
    ) -> Response:
        self.asked.append((method, urlsplit(url).path))
        reply = self._world.ask(method, url, params, data)
        return Response(reply.status, orjson.dumps(reply.body).decode() if reply.body is not None else "")


def _encoded(fields: Fields | None) -> str:
    return urlencode({name: value for name, value in (fields or {}).items() if value is not None}, doseq=True)


async def inhabited() -> Inhabited:
    """Some of what there is still goes on, some of it is over, so that each operation finds something to do."""
    world = Inhabited()
    sids = world.sids
    sids["message"] = str(world.make("Messages", To="+15559000010", From=SENDER, Body="Hi", MediaUrl=PICTURE)["sid"])
    sids["talking"], sids["ended call"] = world.call("+15559000011"), world.call("+15559000012", MUMBLED)
    sids["meeting"], sids["person"] = world.meeting("today")
    sids["ended meeting"], _ = world.meeting("yesterday")
    world.make("OutgoingCallerIds", PhoneNumber="+15559000013", FriendlyName="Cell")
    await world.exchange.move(60)
    world.make(f"Calls/{sids['ended call']}", Status="completed")
    world.make(f"Conferences/{sids['ended meeting']}", Status="completed")
    world.make(f"Messages/{sids['message']}/Feedback", Outcome="confirmed")
    sids["live words"] = str(world.make(f"Calls/{sids['talking']}/Transcriptions", Name="words")["sid"])
    await world.exchange.move(60)
    for thing in ("talking", "ended call", "meeting", "ended meeting"):
        sids[f"recording of {thing}"] = world.recording(sids[thing])
    account = world.exchange.account
    made = account.recordings[sids["recording of ended call"]]
    sids["words"] = world.exchange.change(lambda account, now: transcribe(account, made, now)).sid
    for name, country, kind in (("number", "US", "Local"), ("mobile", "GB", "Mobile"), ("toll-free", "US", "TollFree")):
        wanted = offered(world, country, kind)
        sids[name] = str(world.make("IncomingPhoneNumbers", PhoneNumber=wanted, FriendlyName=TEAM)["sid"])
    child = world.ask("POST", f"{ROOT}/Accounts.json", form={"FriendlyName": "Below"})
    assert child.body is not None
    sids["sub-account"] = str(child.body["sid"])
    await world.exchange.move(60)
    [sids["caller id"]] = account.caller_ids
    [sids["media"]] = account.media
    [sids["complaint"]] = account.notifications
    return world


def offered(world: Inhabited, country: str = "US", kind: str = "Local", at: int = 0) -> str:
    """A number for sale."""
    reply = world.ask("GET", f"{ROOT}/Accounts/{ACCOUNT}/AvailablePhoneNumbers/{country}/{kind}.json")
    assert reply.body is not None
    return str(reply.body["available_phone_numbers"][at]["phone_number"])
