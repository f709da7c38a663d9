"""Recordings over REST: listed, read, deleted.

What the provider knows of a deleted one stays readable for a while, to who asks for it (`IncludeSoftDeleted`);
https://www.twilio.com/docs/voice/api/recording.
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Request, within
from deploy.emulator.resources import Recording
from deploy.emulator.rest import representations
from deploy.emulator.rest.pages import equal, page


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    """All of the account, or below a call or a conference of its path."""
    above = request.ids[0] if request.ids else None

    def keep(recording: Recording) -> bool:
        return (
            (above is None or above in (recording.call_sid, recording.conference_sid))
            and equal(request.query, "CallSid", recording.call_sid)
            and equal(request.query, "ConferenceSid", recording.conference_sid)
            and within(request.query, "DateCreated", recording.date_created)
        )

    below_a_call = above is not None and above.startswith("CA")
    show = representations.call_recording if below_a_call else representations.recording
    deleted = request.query.flag("IncludeSoftDeleted")
    return page(account, request, "recordings", account.recordings.values(), keep, show, deleted=deleted)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    recording = _find(account, request, deleted=request.query.flag("IncludeSoftDeleted"))
    if not recording:
        return refusal(20404, request.path)
    return Reply(200, representations.recording(account, recording))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    recording = _find(account, request)
    if not recording:
        return refusal(20404, request.path)
    if recording.status not in ("completed", "absent"):
        return refusal(20009)
    recording.deleted = True
    return Reply(204)


def _find(account: Account, request: Request, *, deleted: bool = False) -> Recording | None:
    recording = account.recordings.get(request.ids[-1])
    return None if recording is None or (recording.deleted and not deleted) else recording
