"""The parameter sets of the provider's callbacks, as captured, one function a kind.

Values are strings; dates RFC 2822 in GMT. Receivers must take more and fewer keys than these: the provider
adds some without notice (https://www.twilio.com/docs/usage/webhooks).
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

from deploy.emulator.account import Account
from deploy.emulator.lives.tables import CALL_FINAL, SIP_CODES
from deploy.emulator.resources import Call, Conference, Message, Params, Participant, Recording

API_VERSION = "2010-04-01"
GEOGRAPHY: Mapping[str, str] = {"City": "", "State": "CA", "Zip": "", "Country": "US"}


def rfc2822(moment: datetime) -> str:
    return format_datetime(moment)


def _flag(value: bool) -> str:
    return str(value).lower()


def _places(*roles: str) -> Params:
    return {role + part: value for role in roles for part, value in GEOGRAPHY.items()}


def recording_url(account: Account, sid: str) -> str:
    return f"https://api.twilio.com/{API_VERSION}/Accounts/{account.sid}/Recordings/{sid}"


def message_status(account: Account, message: Message, now: datetime) -> Params:
    service = {"MessagingServiceSid": message.service} if message.service else {}
    error = {"ErrorCode": str(message.error_code)} if message.error_code else {}
    done = {"RawDlrDoneDate": now.strftime("%y%m%d%H%M")}
    channel, _, number = message.to.rpartition(":")
    rich = {"ChannelPrefix": channel, "ChannelToAddress": number, "EventType": message.status.upper()}
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
        **(done if not channel and message.status in ("delivered", "undelivered") else {}),
        **(rich if channel else {}),
    }


def inbound_message(account: Account, message: Message, opt_out: str | None) -> Params:
    service = {"MessagingServiceSid": message.service} if message.service else {}
    return {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": account.sid,
        "From": message.from_ or "",
        "To": message.to,
        "Body": message.body,
        "NumMedia": str(message.media),
        "NumSegments": segments(message.body),
        "SmsStatus": "received",
        "ApiVersion": API_VERSION,
        **_places("From", "To"),
        **service,
        **({"OptOutType": opt_out} if opt_out else {}),
    }


def voice_request(account: Account, call: Call) -> Params:
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
        **_places("From", "To", "Caller", "Called"),
    }


def call_status(account: Account, call: Call, status: str, now: datetime) -> Params:
    """`SequenceNumber` counts the callbacks sent for the call, from 0 (as captured)."""
    final = status in CALL_FINAL
    end = {"CallDuration": str(call.seconds), "SipResponseCode": str(SIP_CODES.get(status, 200))}
    minutes = {"Duration": str(-(-call.seconds // 60))}
    heard = {"AnsweredBy": call.answered_by} if call.answered_by and status in ("in-progress", "completed") else {}
    recorded = (
        {
            "RecordingUrl": recording_url(account, call.recording),
            "RecordingSid": call.recording,
            "RecordingDuration": str(call.seconds),
        }
        if call.recording and status == "completed"
        else {}
    )
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


def amd_status(account: Account, call: Call) -> Params:
    return {
        "MachineDetectionDuration": "2300",
        "CallSid": call.sid,
        "AnsweredBy": call.answered_by or "unknown",
        "AccountSid": account.sid,
    }


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


def segments(body: str) -> str:
    """Segments of a GSM-7 or UCS-2 text (one for an empty one)."""
    single, several = (160, 153) if body.isascii() else (70, 67)
    return str(1 if len(body) <= single else -(-len(body) // several))
