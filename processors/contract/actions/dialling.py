"""Dialling: what a call and a participant that is called share, each optional."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from processors.contract.actions.action import ActionBase, Text, Url, require_with

Seconds = Annotated[int, Field(ge=1, le=86_400, description="seconds")]
Channels = Literal["mono", "dual"]
Track = Literal["inbound", "outbound", "both"]
Trim = Literal["trim-silence", "do-not-trim"]

_DETECTION = (
    "machine_detection_timeout",
    "machine_detection_speech_threshold",
    "machine_detection_speech_end_threshold",
    "machine_detection_silence_timeout",
)


class Recorded(ActionBase):
    """How it is recorded. https://www.twilio.com/docs/voice/api/recording"""

    recording_channels: Channels | None = None
    recording_track: Track | None = None
    recording_configuration_id: Text | None = None
    trim: Trim | None = None


class Dialled(Recorded):
    """How it is called, and what is found out about who answers.

    https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource,
    https://www.twilio.com/docs/voice/answering-machine-detection
    """

    timeout: Annotated[int, Field(ge=1, le=600, description="seconds that it may ring")] | None = None
    time_limit: Seconds | None = None
    caller_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    call_reason: Text | None = None
    call_token: Text | None = None
    byoc: Annotated[str, Field(pattern=r"^BY[0-9a-fA-F]{32}$")] | None = None
    sip_auth_username: Text | None = None
    sip_auth_password: Text | None = None
    passports: Text | None = None
    client_notification_url: Url | None = None
    record: bool | None = None
    machine_detection: Literal["Enable", "DetectMessageEnd"] | None = None
    machine_detection_timeout: Annotated[int, Field(ge=3, le=59, description="seconds")] | None = None
    machine_detection_speech_threshold: Annotated[int, Field(ge=1000, le=6000, description="ms")] | None = None
    machine_detection_speech_end_threshold: Annotated[int, Field(ge=500, le=5000, description="ms")] | None = None
    machine_detection_silence_timeout: Annotated[int, Field(ge=2000, le=10_000, description="ms")] | None = None

    @model_validator(mode="after")
    def _is_detected(self) -> Self:
        for name in _DETECTION:
            require_with(self, name, "machine_detection")
        return self
