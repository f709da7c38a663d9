"""The parameter sets of the provider's callbacks, as captured, one function a kind.

Values are strings; dates RFC 2822 in GMT. Receivers must take more and fewer keys than these: the provider
adds some without notice (https://www.twilio.com/docs/usage/webhooks).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

from deploy.emulator.account import Account
from deploy.emulator.lives.tables import CALL_FINAL, SIP_CODES
from deploy.emulator.resources import (
    Call,
    Conference,
    LiveTranscription,
    Media,
    Message,
    Params,
    Participant,
    Recording,
    Target,
    Transcription,
)

API_VERSION = "2010-04-01"
CHANNEL_INSTALL = "XE" + "0" * 30 + "01"
CHANNEL_EVENTS = ("delivered", "undelivered", "read")
GEOGRAPHY: Mapping[str, str] = {"City": "", "State": "CA", "Zip": "", "Country": "US"}


def rfc2822(moment: datetime) -> str:
    return format_datetime(moment)


def _flag(value: bool) -> str:
    return str(value).lower()


def _places(**addresses: str) -> Params:
    """What is known of where each number is; an address that is no number has no place at all."""
    return {
        role + part: value
        for role, address in addresses.items()
        if address.startswith("+")
        for part, value in GEOGRAPHY.items()
    }


def recording_url(account: Account, sid: str) -> str:
    return f"https://api.twilio.com/{API_VERSION}/Accounts/{account.sid}/Recordings/{sid}"


def media_url(account: Account, media: Media) -> str:
    return f"https://api.twilio.com/{API_VERSION}/Accounts/{account.sid}/Messages/{media.message_sid}/Media/{media.sid}"


def message_status(account: Account, message: Message, now: datetime) -> Params:
    service = {"MessagingServiceSid": message.service} if message.service else {}
    error = {"ErrorCode": str(message.error_code)} if message.error_code else {}
    done = {"RawDlrDoneDate": now.strftime("%y%m%d%H%M")}
    return {
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "MessageStatus": message.status,
        "To": message.to,
        "MessageSid": message.sid,
        "AccountSid": account.sid,
        "From": message.from_ or "",
        "ApiVersion": API_VERSION,
        **service,
        **error,
        **(done if message.to.startswith("+") and message.status in ("delivered", "undelivered") else {}),
        **_channel(message),
    }


def _channel(message: Message) -> Params:
    """What a status says more on a channel: the event where the channel told one, its words where it refused."""
    channel, _, number = message.to.rpartition(":")
    if not channel:
        return {}
    event = {"EventType": message.status.upper()} if message.status in CHANNEL_EVENTS else {}
    refused = {"ChannelStatusMessage": f"error {message.error_code}"} if message.error_code else {}
    unread = {"StructuredMessage": "false"} if message.status == "sent" else {}
    return {
        "ChannelPrefix": channel,
        "ChannelToAddress": number,
        "ChannelInstallSid": CHANNEL_INSTALL,
        **event,
        **refused,
        **unread,
    }


def inbound_message(account: Account, message: Message, opt_out: str | None, media: Params) -> Params:
    """`media` are the parameters of its files. WhatsApp tells who writes, and of what type the message is."""
    from_ = message.from_ or ""
    service = {"MessagingServiceSid": message.service} if message.service else {}
    channel, _, number = from_.rpartition(":")
    profile = {"ProfileName": "Somebody"}
    context = {"type": channel, "data": {"context": profile}}
    whatsapp = {
        **profile,
        "WaId": number.removeprefix("+"),
        "MessageType": "text" if not media else "image",
        "ReferralNumMedia": "0",
        "ChannelMetadata": json.dumps(context, separators=(",", ":")),
    }
    return {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": account.sid,
        "From": from_,
        "To": message.to,
        "Body": message.body,
        "NumMedia": str(message.media),
        "NumSegments": segments(message.body),
        "SmsStatus": "received",
        "ApiVersion": API_VERSION,
        **_places(From=from_, To=message.to),
        **service,
        **media,
        **({"OptOutType": opt_out} if opt_out else {}),
        **(whatsapp if channel == "whatsapp" else {}),
    }


def _of_call(account: Account, call: Call) -> Params:
    """What everything says that is about a call."""
    return {
        "CallSid": call.sid,
        "AccountSid": account.sid,
        "From": call.from_,
        "To": call.to,
        "Caller": call.from_,
        "Called": call.to,
        "CallStatus": call.status,
        "ApiVersion": API_VERSION,
        "Direction": call.direction,
    }


def voice_request(account: Account, call: Call) -> Params:
    """A leg that was dialed on says whose it is and over which number, and nothing of where (as captured)."""
    places = _places(From=call.from_, To=call.to, Caller=call.from_, Called=call.to) if not call.parent else {}
    parent = {"ParentCallSid": call.parent} if call.parent else {}
    via = {"CalledVia": call.via, "ForwardedFrom": call.via} if call.via else {}
    return {
        **_of_call(account, call),
        **places,
        **parent,
        **via,
    }


def call_status(account: Account, call: Call, status: str, now: datetime) -> Params:
    """`SequenceNumber` counts the callbacks sent for the call, from 0 (as captured)."""
    final = status in CALL_FINAL
    end = {"CallDuration": str(call.seconds), "SipResponseCode": str(SIP_CODES.get(status, 200))}
    minutes = {"Duration": str(-(-call.seconds // 60))}
    heard = {"AnsweredBy": call.answered_by} if call.answered_by and status in ("in-progress", "completed") else {}
    recording = account.recordings[call.recording] if call.recording and status == "completed" else None
    # Of the recording that the call was made with, and of no other.
    recorded = recorded_part(account, recording, None) if recording and recording.order.source == "OutboundAPI" else {}
    return {
        **voice_request(account, call),
        "CallStatus": status,
        "Timestamp": rfc2822(now),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(call.sequence),
        **(end if final else {}),
        **(minutes if status in ("completed", "busy", "no-answer") else {}),
        **heard,
        **recorded,
    }


def detection_part(call: Call) -> Params:
    """Who answered, and after how many milliseconds that was known."""
    if not call.detection:
        return {}
    milliseconds = str(round(call.detection.seconds * 1000))
    return {"AnsweredBy": call.detection.answered_by, "MachineDetectionDuration": milliseconds}


def amd_status(account: Account, call: Call) -> Params:
    return {**detection_part(call), "CallSid": call.sid, "AccountSid": account.sid}


def fallback_part(url: str, code: int) -> Params:
    return {"ErrorCode": str(code), "ErrorUrl": url}


def gathered_part(kind: str, said: str, key: str) -> Params:
    """What Gather heard; `key` is the one that ended it, empty where it was not needed."""
    if kind == "speech":
        return {"SpeechResult": said, "Confidence": "0.92"}
    return {"Digits": said, "FinishedOnKey": key, "msg": "Gather End"}


def recorded_part(account: Account, recording: Recording, digits: str | None) -> Params:
    """What Record recorded; `digits` is the key that ended it, or `hangup`."""
    return {
        "RecordingUrl": recording_url(account, recording.sid),
        "RecordingSid": recording.sid,
        "RecordingDuration": str(recording.seconds),
        **({"Digits": digits} if digits is not None else {}),
    }


def dialed_part(child: Call | None, status: str) -> Params:
    """How a Dial ended; a conference has no leg of its own."""
    if child is None:
        return {"DialCallStatus": status}
    bridged = _flag(child.start_time is not None and child.whisper is None)
    duration = {"DialCallDuration": str(child.seconds)} if child.start_time else {}
    return {"DialCallSid": child.sid, "DialCallStatus": status, "DialBridged": bridged, **duration}


def recording_status(account: Account, recording: Recording) -> Params:
    """A conference's recording names its conference and no call (as captured)."""
    whose = (
        {"ConferenceSid": recording.conference_sid}
        if recording.conference_sid
        else {"CallSid": recording.call_sid or ""}
    )
    duration = {"RecordingDuration": str(recording.seconds)} if recording.status == "completed" else {}
    return {
        "AccountSid": account.sid,
        **whose,
        "RecordingSid": recording.sid,
        "RecordingUrl": recording_url(account, recording.sid),
        "RecordingStatus": recording.status,
        "RecordingChannels": str(recording.order.channels),
        "RecordingSource": recording.order.source,
        "RecordingTrack": recording.order.track,
        "RecordingStartTime": rfc2822(recording.date_created),
        "ErrorCode": str(recording.error_code or 0),
        **duration,
    }


def conference_status(account: Account, conference: Conference, event: str, now: datetime) -> Params:
    return {
        "ConferenceSid": conference.sid,
        "FriendlyName": conference.name,
        "AccountSid": account.sid,
        "SequenceNumber": str(conference.sequence),
        "Timestamp": rfc2822(now),
        "StatusCallbackEvent": event,
    }


def participant_part(participant: Participant) -> Params:
    return {
        "CallSid": participant.sid,
        "Muted": _flag(participant.muted),
        "Hold": _flag(participant.hold),
        "Coaching": _flag(participant.coaching),
        "EndConferenceOnExit": _flag(participant.end_on_exit),
        "StartConferenceOnEnter": _flag(participant.start_on_enter),
        **({"ParticipantLabel": participant.label} if participant.label else {}),
    }


def leaving_part(participant: Participant, call: Call, reason: str) -> Params:
    return {"ParticipantCallStatus": call.status, "ReasonParticipantLeft": reason}


def ending_part(conference: Conference, last: Participant | None) -> Params:
    """The reason as the provider spells it, its words, and whose leaving it was."""
    whose = {"CallSidEndingConference": last.sid} if last else {}
    label = {"ParticipantLabelEndingConference": last.label} if last and last.label else {}
    reason = conference.reason or ""
    return {"ReasonConferenceEnded": reason, "Reason": reason.replace("-", " "), **whose, **label}


def announcement(account: Account, conference: Conference, participant: Participant | None) -> Params:
    """The request for what is to be announced."""
    whose = {"CallSid": participant.sid} if participant else {}
    return {"AccountSid": account.sid, "ConferenceSid": conference.sid, "FriendlyName": conference.name, **whose}


def conference_record(account: Account, conference: Conference, recording: Recording, now: datetime) -> Params:
    """The deprecated `eventCallbackUrl`."""
    return {
        "EventName": "conference-record-end",
        "ConferenceSid": conference.sid,
        "AccountSid": account.sid,
        "RecordingUrl": recording_url(account, recording.sid),
        "Duration": str(recording.seconds),
        "RecordingFileSize": str((recording.seconds or 0) * 16_000),
        "Timestamp": rfc2822(now),
    }


def transcription(account: Account, made: Transcription, call: Call, target: Target) -> Params:
    """Of a recording. It names its own URL in lower case (as captured)."""
    words = {"TranscriptionText": made.text or "(blank)"} if made.status == "completed" else {}
    return {
        "TranscriptionSid": made.sid,
        "TranscriptionType": "fast",
        "TranscriptionStatus": made.status,
        "TranscriptionUrl": f"{recording_url(account, made.recording_sid)}/Transcriptions/{made.sid}",
        "RecordingSid": made.recording_sid,
        "RecordingUrl": recording_url(account, made.recording_sid),
        "url": target.url,
        **_of_call(account, call),
        **words,
    }


LIVE_STARTED: Mapping[str, str] = {
    "TranscriptionEngine": "google",
    "ProviderConfiguration": "{}",
    "LanguageCode": "en-US",
    "Track": "both_tracks",
    "InboundTrackLabel": "inbound",
    "OutboundTrackLabel": "outbound",
    "PartialResults": "false",
}


def live_transcription(account: Account, made: LiveTranscription, event: str, now: datetime) -> Params:
    return {
        "AccountSid": account.sid,
        "CallSid": made.call_sid,
        "TranscriptionSid": made.sid,
        "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "SequenceId": str(made.sequence),
        "TranscriptionEvent": event,
    }


def live_content(words: str, track: str) -> Params:
    said = json.dumps({"transcript": words, "confidence": 0.99}, separators=(",", ":"))
    return {"TranscriptionData": said, "Track": track, "LanguageCode": "en-US", "Final": "true"}


def segments(body: str) -> str:
    """Segments of a GSM-7 or UCS-2 text (one for an empty one)."""
    single, several = (160, 153) if body.isascii() else (70, 67)
    return str(1 if len(body) <= single else -(-len(body) // several))
