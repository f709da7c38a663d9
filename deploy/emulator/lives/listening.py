"""What is said to a call and heard from it: prompts, Play, Gather, Record. Who speaks is drawn, or a magic number.

A file to play is asked for without a word about the call, and however long it is, it plays for five seconds.
https://www.twilio.com/docs/voice/twiml/play, https://www.twilio.com/docs/voice/twiml/gather,
https://www.twilio.com/docs/voice/twiml/record
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urljoin

from deploy.emulator.account import Account, Answer
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import draw
from deploy.emulator.errors import is_url
from deploy.emulator.lives import recordings
from deploy.emulator.lives.debugging import MEDIA, complain
from deploy.emulator.lives.documents import BAD_URL, act, new_turn, pause
from deploy.emulator.lives.tables import CALL_FINAL, spoken
from deploy.emulator.lives.twiml import Verb
from deploy.emulator.resources import Asked, Call, RecordingOrder, Target

LETTERS = 15  # a second of speech
PLAYED = 5.0  # seconds of a file
NO_SOUND, NO_SOUND_IN_GATHER = 13420, 13325
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


def play(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """Play a file; one that cannot be had, or is no sound, is passed over. Keys to press are no file."""

    def goes_on(account: Account, call: Call, now: datetime) -> None:
        if call.resume:
            call.resume(account, call, now)

    if not verb.text:
        pause(account, call, prompt_seconds(verb), goes_on)
        return
    waits = new_turn(call)

    def then(account: Account, played: bool) -> None:
        if waits():
            pause(account, call, prompt_seconds(verb) if played else 0, goes_on)

    _fetch(account, call, verb, NO_SOUND, now, then)


def _fetch(
    account: Account,
    call: Call,
    verb: Verb,
    no_sound: int,
    now: datetime,
    then: Callable[[Account, bool], None] = lambda account, played: None,
) -> None:
    """Ask for the file of a Play; `then` is told whether it can be played."""
    url = urljoin(call.base, verb.text)
    if not is_url(url):
        complain(account, BAD_URL, call.sid, Asked(url, "GET", {}), now, call.sid)
        then(account, False)
        return

    def hears(account: Account, now: datetime, answer: Answer) -> None:
        is_sound = not answer.content_type or answer.content_type.startswith("audio/")  # what says nothing is believed
        if not is_sound:
            asked = Asked(url, "GET", {}, 200, "", answer.content_type)
            complain(account, no_sound, call.sid, asked, now, call.sid)
        then(account, is_sound)

    def fails(account: Account, now: datetime, code: int) -> None:
        then(account, False)

    account.say(MEDIA, call.sid, "play", Target(url, "GET"), {}, hears, fails)


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
    for file in verb.named("Play"):
        if file.text:
            _fetch(account, call, file, NO_SOUND_IN_GATHER, now)

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
