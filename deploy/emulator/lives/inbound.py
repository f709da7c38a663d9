"""Somebody writes to one of our numbers: the webhook, and what the TwiML answer makes happen.

Each `<Message>` becomes a message of direction `outbound-reply`
(https://www.twilio.com/docs/messaging/twiml/message). Keywords keep the list of opt-outs, as the provider does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urljoin
from xml.etree import ElementTree

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.errors import is_url
from deploy.emulator.lives import messages
from deploy.emulator.resources import Message, Target

KEYWORDS: Mapping[str, str] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"), "STOP"),
    **dict.fromkeys(("START", "UNSTOP", "YES"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}


class Text(NamedTuple):
    """What somebody writes, and the webhook URL of the number they write to."""

    from_: str
    to: str
    body: str
    url: str
    method: str = "POST"
    service: str | None = None  # with one, keywords are told as OptOutType (Advanced Opt-Out)


class Answered(NamedTuple):
    """One `<Message>` of an answer."""

    body: str
    media: int
    to: str | None
    from_: str | None
    callback: str | None


def receive(account: Account, text: Text, now: datetime) -> Message:
    sid, index = account.mint("SM")
    message = Message(sid, index, "inbound", text.from_, text.to, text.body, "received", now, now, service=text.service)
    message.date_sent = now
    account.messages[sid] = message
    keyword = KEYWORDS.get(text.body.strip().upper())
    pairs = {(sender, text.from_) for sender in (text.to, text.service) if sender}
    if keyword == "STOP":
        account.opted_out |= pairs
    elif keyword == "START":
        account.opted_out -= pairs

    def hears(account: Account, now: datetime, answer: str) -> None:
        reply(account, message, text, answer, now)

    params = parameters.inbound_message(account, message, keyword if text.service else None)
    account.say("inbound-message", sid, "received", Target(text.url, text.method), params, hears)
    return message


def reply(account: Account, message: Message, text: Text, answer: str, now: datetime) -> None:
    """Send what the answer says, to who has not opted out."""
    for said in read(answer):
        to, sender = said.to or text.from_, said.from_ or text.to
        if (sender, to) in account.opted_out:
            continue
        url = urljoin(text.url.partition("#")[0], said.callback) if said.callback else ""
        messages.make(
            account,
            now,
            direction="outbound-reply",
            from_=sender,
            to=to,
            body=said.body,
            media=said.media,
            service=message.service,
            target=Target(url) if is_url(url) else None,
        )


def read(answer: str) -> Sequence[Answered]:
    """The messages in a TwiML answer. An empty, plain or broken one has none (the provider logs 12100)."""
    if "<!" in answer:  # neither entities nor doctypes belong in TwiML
        return []
    try:
        root = ElementTree.fromstring(answer.strip().encode())  # noqa: S314 no entities: refused above
    except ElementTree.ParseError:
        return []
    return [_message(each) for each in root.findall("Message")]


def _message(element: ElementTree.Element) -> Answered:
    bodies = [each.text or "" for each in element.findall("Body")]
    return Answered(
        body="".join(bodies) if bodies else (element.text or "").strip(),
        media=len(element.findall("Media")),
        to=element.get("to"),
        from_=element.get("from"),
        callback=element.get("statusCallback") or element.get("action"),
    )
