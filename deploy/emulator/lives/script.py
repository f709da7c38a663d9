"""A call performs its TwiML: asks for a document, performs verb after verb, and is hung up on when none is left.

What lasts is waited for in provider time; what somebody does at the other end is drawn, or told by a magic number.
A call ends with its script or by hanging up, whichever is first (https://www.twilio.com/docs/voice/twiml).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from deploy.emulator.account import Account, Answer
from deploy.emulator.chance import draw
from deploy.emulator.forms import Form
from deploy.emulator.lives import calls, conferences, messages, transcriptions
from deploy.emulator.lives.debugging import complain
from deploy.emulator.lives.dialing import dial_on
from deploy.emulator.lives.documents import ask, load, pause, turn_to
from deploy.emulator.lives.listening import gather, play, prompt_seconds, record
from deploy.emulator.lives.routing import called, followed
from deploy.emulator.lives.tables import CALL_FINAL
from deploy.emulator.lives.twiml import Verb
from deploy.emulator.resources import Asked, Call, Target

Perform = Callable[[Account, Call, Verb, datetime], None]

PATIENCE = 60  # seconds somebody lets our phone ring
FOREVER = 14_400  # seconds: longer than any call
NO_SUCH_VERB = 12200


class Ring(NamedTuple):
    """Somebody calls one of our numbers; who is asked what to do and told of the end, where it has no own URLs."""

    from_: str
    to: str
    answer: Target | None
    target: Target | None = None


def place(account: Account, form: Form, now: datetime) -> Call:
    """An outbound call as the API asks for it: dialed, and when answered it performs its TwiML."""
    call = calls.dial(account, form, now, account.plan.chances.call_seconds)
    call.follower, call.resume = follow, step
    _instruct(account, call, form)
    return call


def ring(account: Account, rung: Ring, now: datetime) -> Call:
    """An inbound call: it rings while its TwiML is asked for, and is answered when there is something to perform.

    Where nobody is to be asked it rings until who calls gives up.
    """
    sid, index = account.mint("CA")
    call = Call(sid, index, "inbound", rung.from_, rung.to, now, now, status="ringing")
    call.target = followed(account, rung.to, rung.target)
    call.follower, call.resume, call.answer = follow, _pick_up, called(account, rung.to, rung.answer)
    if call.target and not call.target.events:
        call.target = call.target._replace(events=frozenset({"completed"}))
    account.calls[sid] = call

    def give_up(account: Account, now: datetime) -> None:
        if call.status == "ringing":
            calls.end(account, call, "no-answer", now)

    account.later(PATIENCE, give_up, wanted=lambda: call.status == "ringing")
    if call.answer:
        ask(account, call, call.answer, "ringing")
    return call


def redirect(account: Account, call: Call, form: Form, now: datetime) -> None:
    """Leave off what it performs, and perform what the form says instead."""
    _interrupt(account, call, now)
    if call.whisper:
        left, call.whisper, call.follower = call.whisper.left, None, follow
        left(account, call, now)
    if call.resume is None:  # a participant leaves its conference; a leg of a Dial was let go by it above
        call.follower, call.resume = follow, step
        participant = account.participants.get(call.sid)
        if participant:
            conferences.leave(account, participant, call, now)
    _instruct(account, call, form)
    _begin(account, call, now)


def follow(account: Account, call: Call, now: datetime) -> None:
    """Its status has changed: perform, or leave off."""
    if call.status == "in-progress" and call.direction != "inbound":
        detection = call.detection
        if detection and detection.first:
            pause(account, call, detection.seconds, _begin)
        else:
            _begin(account, call, now)
    elif call.status in CALL_FINAL:
        _interrupt(account, call, now)


def step(account: Account, call: Call, now: datetime) -> None:
    """Perform the next verb; when none is left, hang up, or be connected to who has dialed it."""
    if call.status in CALL_FINAL:
        return
    call.interrupted = call.freed = None
    if not call.todo:
        ended = call.whisper.ended if call.whisper else calls.hang_up
        ended(account, call, now)
        return
    verb, call.todo = call.todo[0], call.todo[1:]
    VERBS.get(verb.name, _skip)(account, call, verb, now)


def _instruct(account: Account, call: Call, form: Form) -> None:
    """Url counts before Twiml, and both before an application."""
    asked = form.document("") or account.applications.get(form.get("ApplicationSid"))
    fallback = form.document("Fallback")
    if asked and fallback:
        asked = asked._replace(fallback=fallback)
    call.answer, call.twiml = asked, "" if asked else form.get("Twiml")


def _begin(account: Account, call: Call, now: datetime) -> None:
    if call.answer:
        ask(account, call, call.answer, call.status)
    else:
        load(account, call, Target(""), Answer(200, call.twiml or "<Response/>"), now)


def _interrupt(account: Account, call: Call, now: datetime) -> None:
    call.turn += 1
    interrupted, call.interrupted, call.freed, call.todo = call.interrupted, None, None, ()
    if interrupted:
        interrupted(account, call, now)


def _pick_up(account: Account, call: Call, now: datetime) -> None:
    """The first document of an inbound call: a Reject leaves it unanswered, so does a Pause for as long as it lasts."""
    first = call.todo[0] if call.todo else Verb("Hangup")
    call.resume = _pick_up if call.status == "ringing" else step
    if call.resume is step:  # it was answered by an apology
        step(account, call, now)
        return
    if first.name == "Reject":
        calls.end(account, call, "busy" if first.get("reason") == "busy" else "no-answer", now)
        return
    if first.name == "Pause":
        call.todo = call.todo[1:]
        pause(account, call, _seconds(first), _pick_up)
        return
    calls.answer(account, call, now)
    call.resume = step
    talk = draw(account.seed, "call", call.index).uniform(*account.plan.chances.call_seconds)
    account.later(
        talk,
        lambda account, now: calls.hang_up(account, call, now),
        wanted=lambda: call.status not in CALL_FINAL,
    )
    step(account, call, now)


def _speak(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    pause(account, call, prompt_seconds(verb), step)


def _seconds(verb: Verb) -> float:
    return float(verb.form("").number("Length", 1))


def _wait(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    pause(account, call, _seconds(verb), step)


def _stay(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """In a queue or a stream: until somebody ends it."""
    pause(account, call, FOREVER, step)


def _hang_up(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    calls.hang_up(account, call, now)


def _write(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """A message in the middle of a call."""
    form = verb.form(call.base)
    ours, theirs = (call.to, call.from_) if call.direction == "inbound" else (call.from_, call.to)
    messages.make(
        account,
        now,
        direction="outbound-call",
        from_=form.get("From") or ours,
        to=form.get("To") or theirs,
        body=verb.text,
        target=form.target("StatusCallback"),
    )
    pause(account, call, 0, step)


def _start(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """What goes on beside the verbs: of this, transcriptions only."""
    for each in verb.named("Transcription"):
        form = each.form(call.base)
        target = Target(form.get("StatusCallbackUrl")) if form.get("StatusCallbackUrl") else None
        transcriptions.start(account, call.sid, form.get("Name") or None, target, now)
    pause(account, call, 0, step)


def _stop(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    if verb.named("Transcription"):
        transcriptions.stop_all(account, call.sid, now)
    pause(account, call, 0, step)


def _skip(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """A verb that is not known here is passed over, with a warning."""
    complain(account, NO_SUCH_VERB, call.sid, Asked(call.base, "POST", {}), now, call.sid)
    pause(account, call, 0, step)


VERBS: Mapping[str, Perform] = {
    "Say": _speak,
    "Play": play,
    "Pause": _wait,
    "Gather": gather,
    "Record": record,
    "Dial": dial_on,
    "Hangup": _hang_up,
    "Reject": _hang_up,  # too late for it: the call was answered
    "Redirect": turn_to,
    "Message": _write,
    "Sms": _write,
    "Start": _start,
    "Stop": _stop,
    "Connect": _stay,
    "Enqueue": _stay,
}
