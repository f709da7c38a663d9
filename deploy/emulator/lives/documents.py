"""How a call gets its TwiML: asked for at a URL, at its fallback when that fails, or at a verb's action.

A call counts what it waits for (`turn`): an answer that comes after it was redirected or hung up changes nothing.
https://www.twilio.com/docs/usage/security/availability-reliability
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urljoin

from deploy.emulator.account import Account, Answer, Wanted
from deploy.emulator.callbacks import parameters
from deploy.emulator.errors import is_url
from deploy.emulator.faults import Kind
from deploy.emulator.lives import calls
from deploy.emulator.lives.debugging import complain
from deploy.emulator.lives.tables import CALL_FINAL
from deploy.emulator.lives.twiml import BadTwiml, Verb, spoken_to
from deploy.emulator.resources import Asked, Call, Moment, Params, Target

BAD_URL = 11100
HOP = 0.1  # seconds
APOLOGY = 3.0  # seconds: "we are sorry, an application error has occurred"


def ask(
    account: Account,
    call: Call,
    target: Target,
    what: str,
    more: Mapping[str, str] | None = None,
    *,
    kind: Kind = "voice-request",
) -> None:
    """Ask for a document, and perform it. Of a call that is over the answer is not listened to."""
    listens = new_turn(call)
    params = {**parameters.voice_request(account, call), **_who(call), **(more or {})}

    def hears(account: Account, now: datetime, answer: Answer) -> None:
        if listens():
            load(account, call, target, answer, now, params)

    def fails(account: Account, now: datetime, code: int) -> None:
        if listens():
            _failed(account, call, target, code, now)

    if call.status in CALL_FINAL:
        account.say(kind, call.sid, what, target, params)
    else:
        account.say(kind, call.sid, what, target, params, hears, fails)


def load(
    account: Account, call: Call, target: Target, answer: Answer, now: datetime, params: Params | None = None
) -> None:
    """Perform the document that `target` has answered, when it was asked with `params`."""
    try:
        call.todo = spoken_to(answer, target.url)
    except BadTwiml as bad:
        asked = Asked(target.url, target.method, params or {}, 200, answer.body, answer.content_type)
        complain(account, bad.code, call.sid, asked, now, call.sid)
        _failed(account, call, target, bad.code, now)
        return
    call.base = target.url.partition("#")[0]
    if call.resume:
        call.resume(account, call, now)


def act(account: Account, call: Call, verb: Verb, what: str, more: Mapping[str, str], now: datetime) -> None:
    """A verb is done: its action says what is next; without one, the verb that follows it."""
    form = verb.form(call.base)
    url = form.get("Action")
    if is_url(url):
        _go_to(account, call, url, form.get("Method", "POST"), what, more, "voice-action")
    elif call.resume and call.status not in CALL_FINAL:
        pause(account, call, 0, call.resume)


def turn_to(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """Perform another document instead of the rest of this one."""
    call.todo, url = (), urljoin(call.base, verb.text)
    if is_url(url):
        _go_to(account, call, url, verb.get("method", "POST"), "redirect", {}, "voice-request")
    else:
        complain(account, BAD_URL, call.sid, Asked(url, "POST", {}), now, call.sid)
        _failed(account, call, Target(url), BAD_URL, now)


def _go_to(account: Account, call: Call, url: str, method: str, what: str, more: Mapping[str, str], kind: Kind) -> None:
    """Ask there a moment later, so that a document which names itself takes time; at once when the call is over."""
    target = Target(url, method.upper(), fallback=call.answer.fallback if call.answer else None)
    if call.status in CALL_FINAL:
        ask(account, call, target, what, more, kind=kind)
    else:
        pause(account, call, HOP, lambda account, call, now: ask(account, call, target, what, more, kind=kind))


def new_turn(call: Call) -> Wanted:
    """The call waits for something: whether it still does."""
    call.turn += 1
    turn = call.turn
    return lambda: call.turn == turn and call.status not in CALL_FINAL


def pause(account: Account, call: Call, seconds: float, then: Moment) -> None:
    """Go on after so many seconds, unless something else came up meanwhile."""
    goes_on = new_turn(call)

    def due(account: Account, now: datetime) -> None:
        if goes_on():
            then(account, call, now)

    account.later(seconds, due, wanted=goes_on)


def _who(call: Call) -> Mapping[str, str]:
    """Who answered is told with the requests for TwiML, unless it is found out beside them."""
    found = call.detection
    return parameters.detection_part(call) if found and found.first and call.answered_by else {}


def _failed(account: Account, call: Call, target: Target, code: int, now: datetime) -> None:
    if target.fallback:
        ask(account, call, target.fallback, "fallback", parameters.fallback_part(target.url, code), kind="fallback")
        return
    if call.status == "ringing":  # the apology is spoken to somebody
        calls.answer(account, call, now)
    pause(account, call, APOLOGY, calls.hang_up)
