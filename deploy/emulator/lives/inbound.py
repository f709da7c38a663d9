"""Somebody writes to one of our numbers: the webhook, and what the TwiML answer makes happen.

Each `<Message>` becomes a message of direction `outbound-reply`, a `<Redirect>` asks elsewhere
(https://www.twilio.com/docs/messaging/twiml). Keywords keep the list of opt-outs, as the provider does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urljoin

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.errors import is_url
from deploy.emulator.lives import messages
from deploy.emulator.lives.media import attach
from deploy.emulator.lives.twiml import EMPTY, BadTwiml, Verb, parse
from deploy.emulator.resources import Message, Params, Target

KEYWORDS: Mapping[str, str] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"), "STOP"),
    **dict.fromkeys(("START", "UNSTOP", "YES"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}


MOST_ASKED = 10  # documents for one message: a redirect may name itself


class Text(NamedTuple):
    """What somebody writes, and the webhook URL of the number they write to."""

    from_: str
    to: str
    body: str
    url: str
    method: str = "POST"
    service: str | None = None  # with one, keywords are told as OptOutType (Advanced Opt-Out)
    media: Sequence[tuple[str, str]] = ()  # (URL, content type)
    fallback: Target | None = None


def receive(account: Account, text: Text, now: datetime) -> Message:
    sid, index = account.mint("SM" if not text.media else "MM")
    message = Message(sid, index, "inbound", text.from_, text.to, text.body, "received", now, now, service=text.service)
    message.media, message.date_sent = len(text.media), now
    account.messages[sid] = message
    attach(account, message, text.media, now)
    keyword = KEYWORDS.get(text.body.strip().upper())
    pairs = {(sender, text.from_) for sender in (text.to, text.service) if sender}
    if keyword == "STOP":
        account.opted_out |= pairs
    elif keyword == "START":
        account.opted_out -= pairs
    files: Params = {}
    for at, (url, content_type) in enumerate(text.media):
        files |= {f"MediaUrl{at}": url, f"MediaContentType{at}": content_type}
    params = parameters.inbound_message(account, message, keyword if text.service else None, files)
    _ask(account, message, Target(text.url, text.method, fallback=text.fallback), params)
    return message


def _ask(account: Account, message: Message, target: Target, params: Params, kind: str = "inbound-message") -> None:
    """Ask what to do, and do it; where that fails, ask the fallback, once."""

    def hears(account: Account, now: datetime, answer: str) -> None:
        try:
            verbs = parse(answer)
        except BadTwiml as bad:
            if bad.code != EMPTY:  # nothing to say is an answer to a message
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
