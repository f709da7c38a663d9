"""Somebody writes to one of our numbers: the webhook, and what the TwiML answer makes happen.

Each `<Message>` becomes a message of direction `outbound-reply`, a `<Redirect>` asks elsewhere
(https://www.twilio.com/docs/messaging/twiml). Keywords keep the list of opt-outs, as the provider does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urljoin

from deploy.emulator.account import Account, Answer
from deploy.emulator.callbacks import parameters
from deploy.emulator.errors import is_url
from deploy.emulator.faults import Kind
from deploy.emulator.lives import messages
from deploy.emulator.lives.debugging import complain
from deploy.emulator.lives.media import attach
from deploy.emulator.lives.routing import texted
from deploy.emulator.lives.twiml import EMPTY, BadTwiml, Verb, written_to
from deploy.emulator.resources import Asked, Message, Params, Target

KEYWORDS: Mapping[str, str] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"), "STOP"),
    **dict.fromkeys(("START", "UNSTOP", "YES"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}


MOST_ASKED = 10  # documents for one message: a redirect may name itself


class Text(NamedTuple):
    """What somebody writes, and who is told of it where the number they write to has no URL of its own."""

    from_: str
    to: str
    body: str
    target: Target | None
    service: str | None = None  # with one, its URL counts, and keywords are told as OptOutType (Advanced Opt-Out)
    media: Sequence[str] = ()  # the content type of each file


def receive(account: Account, text: Text, now: datetime) -> Message:
    sid, index = account.mint("MM" if text.media else "SM")
    message = Message(sid, index, "inbound", text.from_, text.to, text.body, "received", now, now, service=text.service)
    message.media, message.date_sent = len(text.media), now
    account.messages[sid] = message
    keyword = KEYWORDS.get(text.body.strip().upper())
    pairs = {(sender, text.from_) for sender in (text.to, text.service) if sender}
    if keyword == "STOP":
        account.opted_out |= pairs
    elif keyword == "START":
        account.opted_out -= pairs
    files: Params = {}
    for at, media in enumerate(attach(account, message, [("", content_type) for content_type in text.media], now)):
        files |= {
            f"MediaUrl{at}": parameters.media_url(account, media),
            f"MediaContentType{at}": media.content_type,
        }
    params = parameters.inbound_message(account, message, keyword if text.service else None, files)
    target = told(account, text)
    if target:
        _ask(account, message, target, params)
    return message


def told(account: Account, text: Text) -> Target | None:
    """Who is told of it: its service, the number that it is for, or who is named with it."""
    return text.target if text.service else texted(account, text.to, text.target)


def _ask(account: Account, message: Message, target: Target, params: Params, kind: Kind = "inbound-message") -> None:
    """Ask what to do, and do it; where that fails, ask the fallback, once."""

    def hears(account: Account, now: datetime, answer: Answer) -> None:
        try:
            verbs = written_to(answer)
        except BadTwiml as bad:
            if bad.code != EMPTY:  # nothing to say is an answer to a message
                asked = Asked(target.url, target.method, params, 200, answer.body, answer.content_type)
                complain(account, bad.code, message.sid, asked, now)
                fails(account, now, bad.code)
            return
        reply(account, message, target, params, verbs, now)

    def fails(account: Account, now: datetime, code: int) -> None:
        if target.fallback:
            _ask(
                account, message, target.fallback, {**params, **parameters.fallback_part(target.url, code)}, "fallback"
            )

    account.say(kind, message.sid, message.status, target, params, hears, fails)


def reply(
    account: Account, message: Message, target: Target, params: Params, verbs: Sequence[Verb], now: datetime
) -> None:
    """Send what the answer says, to who has not opted out."""
    base = target.url.partition("#")[0]
    for verb in verbs:
        if verb.name == "Redirect":
            there = Target(urljoin(base, verb.text), verb.get("method", "POST").upper(), fallback=target.fallback)
            if is_url(there.url) and account.said["inbound-message", message.sid] < MOST_ASKED:
                _ask(account, message, there, params)
            return
        if verb.name == "Message":
            _send(account, message, verb, base, now)


def _send(account: Account, message: Message, verb: Verb, base: str, now: datetime) -> None:
    to, sender = verb.get("to") or message.from_ or "", verb.get("from") or message.to
    if (sender, to) in account.opted_out:
        return
    callback = verb.get("statusCallback") or verb.get("action")
    url = urljoin(base, callback) if callback else ""
    bodies = verb.named("Body")
    files = [(urljoin(base, each.text), "") for each in verb.named("Media")]
    sent = messages.make(
        account,
        now,
        direction="outbound-reply",
        from_=sender,
        to=to,
        body="".join(each.text for each in bodies) if bodies else verb.text,
        media=len(files),
        service=message.service,
        target=Target(url) if is_url(url) else None,
    )
    attach(account, sent, files, now)
