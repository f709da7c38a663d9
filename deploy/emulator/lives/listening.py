"""What is said to a call and heard from it: prompts, Gather, Record. Who speaks is drawn, or a magic number.

https://www.twilio.com/docs/voice/twiml/gather, https://www.twilio.com/docs/voice/twiml/record
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import draw
from deploy.emulator.lives import recordings
from deploy.emulator.lives.documents import act, pause
from deploy.emulator.lives.tables import CALL_FINAL, spoken
from deploy.emulator.lives.twiml import Verb
from deploy.emulator.resources import Call, RecordingOrder, Target

LETTERS = 15  # a second of speech
PLAYED = 5.0  # seconds of a file, which is not fetched
ENDLESS = 14_400.0  # seconds: longer than any call
GATHER_TIMEOUT = 5
RECORD_LONGEST = 3600


def prompt_seconds(verb: Verb) -> float:
    """How long a Say, Play or Pause takes; with `loop="0"` it does not end."""
    form = verb.form("")
    loops = form.number("Loop", 1)
    if verb.name == "Pause":
        return float(form.number("Length", 1))
    words = "".join((verb.text, *(noun.text for noun in verb.nouns)))
    once = PLAYED if verb.name == "Play" else max(1.0, len(words) / LETTERS)
    return once * loops if loops else ENDLESS


def gather(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """Prompt, and listen. Nothing heard goes on with the next verb, unless `actionOnEmptyResult`."""
    form = verb.form(call.base)
    chance, chances = draw(account.seed, "gather", call.index, call.turn), account.plan.chances
    digits = form.number("NumDigits", 0)
    kind, said = spoken(chance, chances, call.person, form.get("Input", "dtmf"), digits)
    key = "" if digits else form.get("FinishOnKey", "#")[:1]
    prompt = sum(map(prompt_seconds, verb.named("Say", "Play", "Pause")))
    timeout = float(form.number("Timeout", GATHER_TIMEOUT))
    action = _with_default(call, verb)

    def heard(account: Account, call: Call, now: datetime) -> None:
        if kind != "nothing":
            act(account, call, action, "gather", parameters.gathered_part(kind, said, key), now)
        elif form.flag("ActionOnEmptyResult"):
            act(account, call, action, "gather", parameters.gathered_part("digits", "", ""), now)
        elif call.resume:
            call.resume(account, call, now)

    pause(account, call, prompt + (timeout if kind == "nothing" else chance.uniform(0.5, timeout)), heard)


def record(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """Record what somebody says until a key, silence, `maxLength`, or until they hang up."""
    form = verb.form(call.base)
    chance, chances = draw(account.seed, "record", call.index, call.turn), account.plan.chances
    seconds = min(chance.uniform(*chances.voicemail_seconds), form.number("MaxLength", RECORD_LONGEST))
    key = form.get("FinishOnKey", "1234567890*#")[-1:] if chance.random() < 0.5 else None
    told = Target(form.get("TranscribeCallback")) if form.get("TranscribeCallback") else None
    order = RecordingOrder(
        form.target("RecordingStatusCallback", "completed"),
        "RecordVerb",
        transcribe=form.flag("Transcribe") or told is not None,
        transcribed=told,
    )
    recording = recordings.begin(account, order, now, call_sid=call.sid)
    action = _with_default(call, verb)

    def finish(account: Account, seconds: float, digits: str | None, now: datetime) -> None:
        call.interrupted = None
        recordings.finish(account, recording, max(1, round(seconds)), now)
        act(account, call, action, "record", parameters.recorded_part(account, recording, digits), now)

    def interrupted(account: Account, call: Call, now: datetime) -> None:
        lasted = (now - recording.date_created).total_seconds()
        if call.status in CALL_FINAL:
            finish(account, lasted, "hangup", now)
        else:
            recordings.finish(account, recording, max(1, round(lasted)), now)

    call.interrupted = interrupted
    pause(account, call, seconds, lambda account, call, now: finish(account, seconds, key, now))


def _with_default(call: Call, verb: Verb) -> Verb:
    """Without an action the document itself is asked again."""
    return verb if verb.get("action") else Verb(verb.name, "", {**(verb.attributes or {}), "action": call.base})
