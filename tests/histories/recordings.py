"""The life of a recording, https://www.twilio.com/docs/voice/api/recording#recording-status-callback."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.contract.events import RecordingArchived, RecordingObserved, RecordingTranscribed, RecordingUpdated
from tests.histories.voice import ASKED, BY_RULE, DEEP, Voice

ENDS: Sequence[Sequence[str]] = (
    ("completed",),
    ("completed",),
    ("stopped", "processing", "completed"),
    ("stopped", "completed"),
    ("absent",),
    ("failed",),
    ("evaporated", "completed"),
    (),
)
SOURCES = ("DialVerb", "Conference", "OutboundAPI", "RecordVerb", "StartCallRecordingAPI")


def recording(voice: Voice) -> None:
    source = voice.any(SOURCES)
    correlation = voice.any((None, ASKED, BY_RULE, DEEP)) if source == "OutboundAPI" else None
    parent = "conference_sid" if source == "Conference" else "call_sid"
    fields: dict[str, Any] = {
        "recording_sid": voice.sid("RE"),
        parent: ("CF" if source == "Conference" else "CA") + "f" * 32,
        "channels": 1 if source == "Conference" else voice.any((1, 2)),
        "source": source,
        "track": "both",
        "start_time": voice.now,
    }
    path = ["in-progress"]
    while voice.sometimes(0.3):
        path += ["paused", voice.any(("in-progress", "resumed"))]
    ends = voice.any(ENDS)
    for name in (*path, *ends):
        voice.waits()
        if name != "processing" and voice.sometimes(0.85):
            voice.calls(RecordingUpdated, {**fields, **_result(name), "status": name}, correlation)
        if voice.sometimes(0.15):
            _shown(voice, fields, name, correlation)
    if ends[-1:] == ("completed",):
        _afterwards(voice, fields, correlation)


def _result(name: str) -> Mapping[str, Any]:
    if name == "completed":
        # The provider says "no error" by 0 here; a duration stands only with the end.
        return {"duration": 17, "error_code": 0, "url": "https://api.twilio.com/recording"}
    return {"error_code": 31204} if name in ("absent", "failed") else {}


def _shown(voice: Voice, fields: Mapping[str, Any], name: str, correlation: str | None) -> None:
    known = {"resumed": "in-progress", "evaporated": "processing"}.get(name, name)
    more = {"duration": 17} if name == "completed" else {"duration": -1, "error_code": voice.any((None, -1))}
    if name in ("absent", "failed"):
        more["error_code"] = 31204
    unsolicited = correlation is None and voice.sometimes(0.5)
    voice.shows(RecordingObserved, {**fields, **more, "status": known, "unsolicited": unsolicited})


def _afterwards(voice: Voice, fields: Mapping[str, Any], correlation: str | None) -> None:
    key = fields["recording_sid"]
    if voice.sometimes(0.3):
        voice.waits()
        end = voice.any(("completed", "completed", "failed"))
        text = "(blank)" if end == "completed" else None
        said = {"recording_sid": key, "transcription_sid": voice.sid("TR"), "transcription_status": end}
        voice.calls(RecordingTranscribed, {**said, "transcription_text": text, "call_sid": fields.get("call_sid")})
    if voice.sometimes(0.3):
        voice.shows(
            RecordingArchived,
            {"recording_sid": key, "location": f"2026/01/{key}.wav", "sha256": "0" * 64, "size": 271_828},
        )
    if voice.sometimes(0.1):
        voice.waits()
        _shown(voice, fields, "deleted", correlation)
