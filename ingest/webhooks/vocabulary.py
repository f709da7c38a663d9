"""The provider's words that we know, by event type: another one is an event all the same, and counted.

https://www.twilio.com/docs/messaging/api/message-resource#message-status-values,
https://www.twilio.com/docs/voice/api/call-resource#call-status-values,
https://www.twilio.com/docs/voice/api/recording#recording-status-callback,
https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallback,
https://www.twilio.com/docs/voice/answering-machine-detection, https://www.twilio.com/docs/voice/twiml/transcription.
"""

from collections.abc import Mapping

from ingest.contract.events import Event


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_MESSAGE = _words(
    "accepted scheduled queued sending sent delivered undelivered failed canceled read",
    "receiving received partially_delivered",
)
_CALL = _words("queued initiated ringing in-progress completed busy failed no-answer canceled")
_RECORDING = _words("started in-progress paused resumed stopped processing completed absent failed deleted")
_CONFERENCE = _words(
    "conference-start conference-end conference-record-end participant-join participant-leave participant-mute",
    "participant-unmute participant-hold participant-unhold participant-modify participant-speech-start",
    "participant-speech-stop announcement-end announcement-fail",
)
_AMD = _words("human machine_start machine_end_beep machine_end_silence machine_end_other fax unknown")
_TRANSCRIPTION = _words("transcription-started transcription-content transcription-stopped transcription-error")

KNOWN: Mapping[str, tuple[str, frozenset[str]]] = {
    "message.received": ("status", _MESSAGE),
    "message.updated": ("status", _MESSAGE),
    "call.received": ("status", _CALL),
    "call.continued": ("status", _CALL),
    "call.failed_over": ("status", _CALL),
    "call.updated": ("status", _CALL),
    "call.amd_detected": ("answered_by", _AMD),
    "call.transcribed": ("event", _TRANSCRIPTION),
    "recording.updated": ("status", _RECORDING),
    "recording.transcribed": ("transcription_status", _words("in-progress completed failed")),
    "conference.updated": ("event", _CONFERENCE),
}
"""Event type → the field that holds the provider's word, and the words."""


def is_unknown(event: Event) -> bool:
    """Whether the event says something that we do not know: a word, or for a `….reported` the type itself."""
    known = KNOWN.get(event.type)
    if known is None:
        return event.type.endswith(".reported")
    field, words = known
    return getattr(event, field) not in words
