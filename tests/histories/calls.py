"""The life of a call, https://www.twilio.com/docs/voice/api/call-resource#statuscallback."""

from collections.abc import Sequence
from typing import Any

from ingest.contract.events import (
    CallAmdDetected,
    CallContinued,
    CallFailedOver,
    CallObserved,
    CallReceived,
    CallTranscribed,
    CallUpdated,
)
from tests.histories.voice import ASKED, BY_RULE, DEEP, OURS, THEIRS, Voice

ENDS: Sequence[Sequence[str]] = (
    ("in-progress", "completed"),
    ("in-progress", "completed"),
    ("in-progress", "failed"),
    ("busy",),
    ("no-answer",),
    ("canceled",),
    ("failed",),
    ("hovering", "in-progress", "completed"),
    ("busy", "completed"),  # a number's own callback may say otherwise than the call's
    ("in-progress",),
)
OVER = frozenset({"completed", "busy", "no-answer", "canceled", "failed"})
HEARERS = ("human", "machine_start", "machine_end_beep", "fax", "unknown")
DIRECTIONS = ("inbound", "outbound-api", "outbound-api", "outbound-dial")


class Call:
    """One call, and what it says of itself at each step."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.direction = voice.any(DIRECTIONS)
        self.key = voice.sid("CA")
        self.correlation = voice.any((None, ASKED, BY_RULE, DEEP)) if self.direction == "outbound-api" else None
        self.fields: dict[str, Any] = {
            "call_sid": self.key,
            "from_": THEIRS if self.direction == "inbound" else OURS,
            "to": OURS if self.direction == "inbound" else THEIRS,
            "direction": self.direction,
            "parent_call_sid": "CA" + "f" * 32 if self.direction == "outbound-dial" else None,
        }
        # Status callbacks and the first request have it, the requests of verbs and answers to lookups do not.
        self.forwarded = (
            {"forwarded_from": "+15554445555"} if self.direction == "inbound" and voice.sometimes(0.2) else {}
        )
        # Callbacks are counted, in some accounts with gaps: nobody may wait for a number that is missing.
        self.sequence, self.has_gaps = 0, voice.sometimes(0.4)
        self.answered_by = voice.any(HEARERS) if voice.sometimes(0.4) else None
        self.is_async = voice.sometimes(0.5)

    def live(self) -> None:
        voice = self.voice
        if self.direction == "inbound":
            more = {**self.forwarded, "stir_verstat": "TN-Validation-Passed-A"}
            voice.calls(CallReceived, {**self.fields, **more, "status": "ringing"})
            beginning: Sequence[str] = ("ringing",)
        else:
            if voice.sometimes(0.5):
                self._shown("queued", made=True)
            beginning = ("initiated", "ringing")
        for name in (*beginning, *voice.any(ENDS)):
            voice.waits()
            self._reached(name)
        if voice.sometimes(0.15):
            # The callback of the number that was called: once, at the end, and counted from nought.
            self._told("completed", 0)

    def _reached(self, name: str) -> None:
        voice = self.voice
        if voice.sometimes(0.85):
            self._told(name, self.sequence)
            self.sequence += 1
        elif self.has_gaps:
            self.sequence += 1
        if name == "in-progress":
            self._talk()
        if voice.sometimes(0.12):
            self._shown(name)

    def _told(self, name: str, sequence: int) -> None:
        more: dict[str, Any] = {}
        if name in OVER:
            seconds = 12 if name == "completed" else 0
            more = {"duration": seconds, "sip_response_code": {"busy": 486, "no-answer": 487}.get(name, 200)}
        elif name in ("ringing", "in-progress"):
            more = {"stir_status": "A"}
        if name in ("in-progress", "completed") and self.answered_by and not self.is_async:
            more["answered_by"] = self.answered_by
        fields = {
            **self.fields,
            **self.forwarded,
            **more,
            "status": name,
            "sequence_number": sequence,
            "timestamp": self.voice.now,
            "callback_source": "call-progress-events",
        }
        self.voice.calls(CallUpdated, fields, self.correlation)

    def _talk(self) -> None:
        voice = self.voice
        if self.answered_by and self.is_async:
            heard = {"call_sid": self.key, "answered_by": self.answered_by, "machine_detection_duration": 2400}
            voice.calls(CallAmdDetected, heard, self.correlation)
        elif self.answered_by:
            fields = {**self.fields, "status": "in-progress", "answered_by": self.answered_by}
            voice.calls(CallContinued, {**fields, "machine_detection_duration": 2400})
        while voice.sometimes(0.25):
            voice.waits()
            brought = voice.any(({"digits": "1", "msg": "Gather End"}, {"speech_result": "yes", "confidence": "0.9"}))
            voice.calls(CallContinued, {**self.fields, **brought, "status": "in-progress"})
        if voice.sometimes(0.1):
            failed = {"error_code": 11200, "error_url": "https://example.com/twiml", "status": "in-progress"}
            voice.calls(CallFailedOver, {**self.fields, **failed})
        if voice.sometimes(0.15):
            self._transcription()

    def _transcription(self) -> None:
        """Counted by itself: https://www.twilio.com/docs/voice/twiml/transcription."""
        voice, key = self.voice, self.voice.sid("GT")
        heard = ["transcription-content"] * voice.any((0, 1, 3))
        for sequence, name in enumerate(("transcription-started", *heard, voice.any(("transcription-stopped",
                                         "transcription-error")))):  # fmt: skip
            fields = {"call_sid": self.key, "transcription_sid": key, "event": name, "sequence_id": sequence}
            voice.calls(CallTranscribed, {**fields, "timestamp": voice.now, "track": "inbound_track"})

    def _shown(self, name: str, *, made: bool = False) -> None:
        over = name in OVER
        shown = {
            **self.fields,
            # The resource has no word for what callbacks call `initiated`.
            "status": "queued" if name == "initiated" else name,
            "answered_by": self.answered_by if name in ("in-progress", "completed") else None,
            "duration": 12 if name == "completed" else None,
            "price": "-0.0130" if over else None,
            "price_unit": "USD",
            "start_time": self.voice.now if over else None,
            "unsolicited": self.correlation is None and self.voice.sometimes(0.8),
        }
        self.voice.shows(CallObserved, shown, self.correlation if made else None)


def call(voice: Voice) -> None:
    Call(voice).live()
