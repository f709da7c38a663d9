"""Transcriptions over REST: of recordings, read, listed and deleted; of live calls, started and stopped.

https://www.twilio.com/docs/voice/api/recording-transcription,
https://www.twilio.com/docs/voice/api/realtime-transcription-resource
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, is_url, refusal
from deploy.emulator.forms import Request
from deploy.emulator.lives.transcriptions import start, stop
from deploy.emulator.resources import Target, Transcription
from deploy.emulator.rest import representations
from deploy.emulator.rest.calls import find as find_call
from deploy.emulator.rest.finding import Missing, existing
from deploy.emulator.rest.pages import page


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    """All of the account, or those of the recording of its path."""
    above = request.ids[0] if request.ids else None
    if above:
        existing(account.recordings.get(above))

    def keep(transcription: Transcription) -> bool:
        return above in (None, transcription.recording_sid)

    transcriptions = account.transcriptions.values()
    return page(account, request, "transcriptions", transcriptions, keep, representations.transcription)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, representations.transcription(account, _find(account, request)))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    _find(account, request).deleted = True
    return Reply(204)


def create_live(account: Account, request: Request, now: datetime) -> Reply:
    """A call that is talking is put into words."""
    call, form = find_call(account, request), request.form
    if form.get("StatusCallbackUrl") and not is_url(form.get("StatusCallbackUrl")):
        return refusal(21609, form.get("StatusCallbackUrl"))
    if call.status != "in-progress":
        return refusal(21220, "call is not in progress, cannot transcribe")
    url, method = form.get("StatusCallbackUrl"), form.get("StatusCallbackMethod", "POST").upper()
    target = Target(url, method) if url else None
    made = start(account, call.sid, form.get("Name") or None, target, now)
    return Reply(200, representations.live_transcription(account, made))


def update_live(account: Account, request: Request, now: datetime) -> Reply:
    """By SID or name, below its call; all it can be told is to stop."""
    call_sid, name = request.ids
    of_call = [each for each in account.live_transcriptions.values() if each.call_sid == call_sid]
    found = next((each for each in of_call if name in (each.sid, each.name)), None)
    if found is None:
        raise Missing
    if request.form.get("Status") != "stopped":
        return refusal(20001, "Status")
    stop(account, found, now)
    return Reply(200, representations.live_transcription(account, found))


def _find(account: Account, request: Request) -> Transcription:
    """Below its own recording, where its path names one. Raises Missing."""
    found = existing(account.transcriptions.get(request.ids[-1]))
    if len(request.ids) > 1 and found.recording_sid != request.ids[0]:
        raise Missing
    return found
