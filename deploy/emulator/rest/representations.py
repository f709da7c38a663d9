"""Resources as the REST API shows them: every property of the provider's OpenAPI file, with its type.

Numbers are strings (`num_segments`, `duration`, `price`), error codes integers or null, dates RFC 2822, `uri`
relative: official SDKs depend on each of these.
"""

from collections.abc import Sequence
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks.parameters import API_VERSION, recording_url, rfc2822, segments
from deploy.emulator.errors import Json
from deploy.emulator.resources import (
    Call,
    Conference,
    Feedback,
    LiveTranscription,
    Media,
    Message,
    Participant,
    Recording,
    Transcription,
)

ERROR_MESSAGES = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30010: "Message price exceeds max price",
    30011: "MMS not supported by the receiving phone number in this region",
    30017: "Carrier network congestion",
    30018: "Destination carrier requires sender ID pre-registration",
    30019: "Content size exceeds carrier limit",
    30020: "Scheduled message failed",
    30022: "US A2P 10DLC - Rate limits exceeded",
    30023: "US A2P 10DLC - Daily message cap reached",
    30032: "Toll-free number has not been verified",
    30034: "US A2P 10DLC - Message from an unregistered number",
    21610: "Attempt to send to unsubscribed recipient",
    63016: "Failed to send freeform message because you are outside the allowed window",
    63018: "Rate limit exceeded for channel",
    63024: "Invalid message recipient",
    63032: "User cannot receive this message",
}


def date(moment: datetime | None) -> str | None:
    return rfc2822(moment) if moment else None


def uri(account: Account, *parts: str) -> str:
    return "/".join((f"/{API_VERSION}/Accounts/{account.sid}", *parts)) + ".json"


def _below(account: Account, collection: str, sid: str, names: Sequence[str]) -> Json:
    return {name: uri(account, collection, sid, name.title().replace("_", "")) for name in names}


def message(account: Account, shown: Message) -> Json:
    paid = shown.status in ("sent", "delivered", "undelivered", "read")
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "body": shown.body,
        "date_created": date(shown.date_created),
        "date_sent": date(shown.date_sent),
        "date_updated": date(shown.date_updated),
        "direction": shown.direction,
        "error_code": shown.error_code,
        "error_message": ERROR_MESSAGES.get(shown.error_code) if shown.error_code else None,
        "from": shown.from_,
        "messaging_service_sid": shown.service,
        "num_media": str(shown.media),
        "num_segments": segments(shown.body),
        "price": f"{-0.0079 * int(segments(shown.body)):.5f}" if paid else None,
        "price_unit": "USD",
        "status": shown.status,
        "subresource_uris": _below(account, "Messages", shown.sid, ["media"]),
        "to": shown.to,
        "uri": uri(account, "Messages", shown.sid),
    }


def call(account: Account, shown: Call) -> Json:
    finished = shown.end_time is not None
    below = ["notifications", "recordings", "payments", "events", "siprec", "streams", "transcriptions"]
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "answered_by": shown.answered_by,
        "api_version": API_VERSION,
        "caller_name": None,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "direction": shown.direction,
        "duration": str(shown.seconds) if finished else None,
        "end_time": date(shown.end_time),
        "forwarded_from": None,
        "from": shown.from_,
        "from_formatted": shown.from_,
        "group_sid": None,
        "parent_call_sid": shown.parent,
        "phone_number_sid": None,
        "price": f"{-0.014 * -(-shown.seconds // 60):.5f}" if finished and shown.seconds else None,
        "price_unit": "USD",
        "queue_time": str(shown.queue_time),
        "start_time": date(shown.start_time),
        "status": "queued" if shown.status == "initiated" else shown.status,  # REST has no `initiated`
        "subresource_uris": _below(account, "Calls", shown.sid, below),
        "to": shown.to,
        "to_formatted": shown.to,
        "trunk_sid": None,
        "uri": uri(account, "Calls", shown.sid),
    }


def recording(account: Account, shown: Recording) -> Json:
    seconds = shown.seconds if shown.status == "completed" else None
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "call_sid": shown.call_sid,
        "channels": shown.order.channels,
        "conference_sid": shown.conference_sid,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "duration": str(seconds) if seconds is not None else None,
        "encryption_details": None,
        "error_code": shown.error_code,
        "media_url": recording_url(account, shown.sid),
        "price": f"{-0.0025 * -(-seconds // 60):.5f}" if seconds else None,
        "price_unit": "USD",
        "source": shown.order.source,
        "start_time": date(shown.date_created),
        "status": "deleted" if shown.deleted else shown.status,
        "subresource_uris": _below(account, "Recordings", shown.sid, ["add_on_results", "transcriptions"]),
        "uri": uri(account, "Recordings", shown.sid),
    }


def call_recording(account: Account, shown: Recording) -> Json:
    """As below a call: a track, a number for the price, and neither media nor subresources."""
    common = recording(account, shown)
    price = common["price"]
    kept = {name: value for name, value in common.items() if name not in ("media_url", "subresource_uris")}
    return {**kept, "price": float(price) if price else None, "track": shown.order.track}


def conference_recording(account: Account, shown: Recording) -> Json:
    """As below a conference: neither media nor subresources."""
    hidden = ("media_url", "subresource_uris")
    return {name: value for name, value in recording(account, shown).items() if name not in hidden}


def conference(account: Account, shown: Conference) -> Json:
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "call_sid_ending_conference": shown.ended_by,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "friendly_name": shown.name,
        "reason_conference_ended": shown.reason,
        "region": "us1",
        "status": shown.status,
        "subresource_uris": _below(account, "Conferences", shown.sid, ["participants", "recordings"]),
        "uri": uri(account, "Conferences", shown.sid),
    }


def participant(account: Account, shown: Participant) -> Json:
    return {
        "account_sid": account.sid,
        "call_sid": shown.sid,
        "call_sid_to_coach": shown.call_sid_to_coach,
        "coaching": shown.coaching,
        "conference_sid": shown.conference_sid,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "end_conference_on_exit": shown.end_on_exit,
        "hold": shown.hold,
        "label": shown.label,
        "muted": shown.muted,
        "queue_time": "0",
        "start_conference_on_enter": shown.start_on_enter,
        "status": shown.status,
        "uri": uri(account, "Conferences", shown.conference_sid, "Participants", shown.sid),
    }


def media(account: Account, shown: Media) -> Json:
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "content_type": shown.content_type,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "parent_sid": shown.message_sid,
        "uri": uri(account, "Messages", shown.message_sid, "Media", shown.sid),
    }


def feedback(account: Account, message: Message, said: Feedback) -> Json:
    return {
        "account_sid": account.sid,
        "date_created": date(said.date),
        "date_updated": date(said.date),
        "message_sid": message.sid,
        "outcome": said.outcome,
        "uri": uri(account, "Messages", message.sid, "Feedback"),
    }


def transcription(account: Account, shown: Transcription) -> Json:
    seconds = shown.seconds
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "duration": str(seconds) if seconds is not None else None,
        "price": -0.05 * -(-seconds // 60) if seconds else None,
        "price_unit": "USD",
        "recording_sid": shown.recording_sid,
        "status": shown.status,
        "transcription_text": shown.text,
        "type": "fast",
        "uri": uri(account, "Transcriptions", shown.sid),
    }


def live_transcription(account: Account, shown: LiveTranscription) -> Json:
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "call_sid": shown.call_sid,
        "date_updated": date(shown.date_updated),
        "name": shown.name,
        "status": shown.status,
        "uri": uri(account, "Calls", shown.call_sid, "Transcriptions", shown.sid),
    }
