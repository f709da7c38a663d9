"""Transcriptions: of a recording once it is made (legacy), or of a call while it is spoken.

https://www.twilio.com/docs/voice/api/recording-transcription,
https://www.twilio.com/docs/voice/api/realtime-transcription-resource
"""

from collections.abc import Mapping
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import choose, draw
from deploy.emulator.lives.tables import CALL_FINAL, MAGIC_TRANSCRIPTIONS
from deploy.emulator.resources import LiveTranscription, Recording, Target, Transcription

SAID = ("Hello", "please call me back", "I would like to change my appointment", "thank you", "goodbye")
PAUSE = (1.5, 6.0)  # seconds between two utterances


def transcribe(account: Account, recording: Recording, now: datetime) -> Transcription:
    """The transcription of a recording that is made; its text comes a little later, and is told of."""
    sid, index = account.mint("TR")
    made = Transcription(sid, index, recording.sid, now, now)
    account.transcriptions[sid] = made
    chance, chances = draw(account.seed, "transcription", index), account.plan.chances
    text = " ".join(chance.sample(SAID, chance.randint(1, len(SAID))))
    call, target = account.calls.get(recording.call_sid or ""), recording.order.transcribed
    drawn = choose(chance, chances.transcriptions)
    outcome = MAGIC_TRANSCRIPTIONS.get(call.person, drawn) if call else drawn

    def settle(account: Account, now: datetime) -> None:
        made.status, made.seconds, made.date_updated = outcome, recording.seconds, now
        made.text = text if outcome == "completed" else None
        if target and call:
            params = parameters.transcription(account, made, call, target)
            account.say("transcription", sid, outcome, target, params)

    account.later(chance.uniform(*chances.processing_seconds), settle)
    return made


def start(account: Account, call_sid: str, name: str | None, target: Target | None, now: datetime) -> LiveTranscription:
    """Put a live call into words until it ends or the transcription is stopped."""
    sid, index = account.mint("GT")
    made = LiveTranscription(sid, index, call_sid, name, target, now, now)
    account.live_transcriptions[sid] = made
    _say(account, made, "transcription-started", parameters.LIVE_STARTED, now)
    _listen(account, made)
    return made


def stop(account: Account, transcription: LiveTranscription, now: datetime) -> None:
    if transcription.status == "in-progress":
        transcription.status, transcription.date_updated = "stopped", now
        _say(account, transcription, "transcription-stopped", {}, now)


def stop_all(account: Account, call_sid: str, now: datetime) -> None:
    """The call is over."""
    for each in account.live_transcriptions.values():
        if each.call_sid == call_sid:
            stop(account, each, now)


def _listen(account: Account, transcription: LiveTranscription) -> None:
    chance = draw(account.seed, "utterance", transcription.index, transcription.sequence)
    words, track = chance.choice(SAID), chance.choice(("inbound_track", "outbound_track"))

    def heard(account: Account, now: datetime) -> None:
        if lasts():
            _say(account, transcription, "transcription-content", parameters.live_content(words, track), now)
            _listen(account, transcription)

    def lasts() -> bool:
        live = account.calls[transcription.call_sid].status not in CALL_FINAL
        return transcription.status == "in-progress" and live

    account.later(chance.uniform(*PAUSE), heard, wanted=lasts)


def _say(
    account: Account, transcription: LiveTranscription, event: str, more: Mapping[str, str], now: datetime
) -> None:
    transcription.sequence += 1
    if transcription.target:
        params = {**parameters.live_transcription(account, transcription, event, now), **more}
        account.say("live-transcription", transcription.sid, event, transcription.target, params)
