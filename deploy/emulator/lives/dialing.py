"""Dial: a call connected to other numbers, each a leg of its own, or to a conference.

The first leg that answers is talked to, the others are canceled; before that it performs what its noun's `url` says,
while who dialed hears it ring. How it went is told to the action (https://www.twilio.com/docs/voice/twiml/dial,
https://www.twilio.com/docs/voice/twiml/number).
"""

from datetime import datetime
from urllib.parse import urlencode

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.forms import Form
from deploy.emulator.lives import calls, conferences, recordings
from deploy.emulator.lives.documents import act, ask
from deploy.emulator.lives.tables import CALL_FINAL
from deploy.emulator.lives.twiml import Verb
from deploy.emulator.resources import Call, Participant, Recording, RecordingOrder, Target, Whisper

NOUNS = ("Number", "Client", "Sip")
TIMEOUT, LONGEST = 30, 14_400


def dial_on(account: Account, call: Call, verb: Verb, now: datetime) -> None:
    """Connect the call to what the verb names."""
    conference = next(iter(verb.named("Conference")), None)
    if conference:
        _enter(account, call, verb, conference, now)
        return
    nouns = verb.named(*NOUNS) or ([Verb("Number", verb.text)] if verb.text else [])
    if not nouns:
        act(account, call, verb, "dial", parameters.dialed_part(None, "failed"), now)
        return
    _Dialed(account, call, verb, nouns, now)


class _Dialed:
    """One Dial while it lasts: its legs, the one that answered, and its recording."""

    def __init__(self, account: Account, call: Call, verb: Verb, nouns: list[Verb], now: datetime) -> None:
        self.call, self.verb = call, verb
        self.answered: Call | None = None
        self.recording: Recording | None = None
        self.over = False
        call.interrupted = self.interrupted
        call.turn += 1
        self.whispers: dict[str, Target] = {}  # by leg
        self.legs = [self._leg(account, each, now) for each in nouns]

    def _leg(self, account: Account, noun: Verb, now: datetime) -> Call:
        form, dial = noun.form(self.call.base), self.verb.form(self.call.base)
        inbound = self.call.direction == "inbound"
        asked = {
            "To": _address(noun),
            "From": dial.get("CallerId") or self.call.from_,
            "Timeout": str(dial.number("Timeout", TIMEOUT)),
            "TimeLimit": str(dial.number("TimeLimit", LONGEST)),
        }
        leg = calls.dial(account, Form(urlencode(asked)), now, account.plan.chances.call_seconds, "outbound-dial")
        leg.parent, leg.follower, leg.interrupted = self.call.sid, self.follow, self.taken
        leg.via = self.call.to if inbound else None
        leg.target = form.target("StatusCallback", "completed")
        whisper = form.document("")
        if whisper:
            self.whispers[leg.sid] = whisper
        return leg

    def follow(self, account: Account, leg: Call, now: datetime) -> None:
        """A leg has moved on."""
        if self.over:
            return
        if leg.status == "in-progress" and self.answered is None:
            self.answered = leg
            if leg.sid in self.whispers:
                leg.whisper, leg.resume, leg.interrupted = Whisper(self.connect, self.taken), self.call.resume, None
                ask(account, leg, self.whispers[leg.sid], "whisper")
            else:
                self.connect(account, leg, now)
            for each in self.legs:
                if each is not leg:
                    calls.hang_up(account, each, now)
        elif leg.status in CALL_FINAL and self._done(leg):
            if leg.whisper and leg.interrupted:
                leg.interrupted(account, leg, now)
            self._finish(account, leg, now)
            more = parameters.dialed_part(leg, leg.status)
            if self.recording:
                more |= parameters.recorded_part(account, self.recording, None)
            act(account, self.call, self.verb, "dial", more, now)

    def connect(self, account: Account, leg: Call, now: datetime) -> None:
        """The leg and who has dialed it talk."""
        leg.whisper, leg.resume, leg.interrupted = None, None, self.taken
        self._record(account, now)

    def taken(self, account: Account, leg: Call, now: datetime) -> None:
        """A leg is redirected: it goes its own way, and who was connected to it on."""
        if not self.over:
            self._finish(account, leg, now)
            act(account, self.call, self.verb, "dial", parameters.dialed_part(leg, "completed"), now)

    def interrupted(self, account: Account, call: Call, now: datetime) -> None:
        """Who was connected has hung up, or was redirected: the legs end with it."""
        leg = self.answered or self.legs[0]
        self._finish(account, leg, now)
        for each in self.legs:
            calls.hang_up(account, each, now)
        if call.status in CALL_FINAL and self.verb.get("action"):
            act(account, call, self.verb, "dial", parameters.dialed_part(leg, leg.status), now)

    def _done(self, leg: Call) -> bool:
        return leg is self.answered or (self.answered is None and all(each.status in CALL_FINAL for each in self.legs))

    def _record(self, account: Account, now: datetime) -> None:
        form = self.verb.form(self.call.base)
        wanted = form.get("Record", "do-not-record")
        if wanted.startswith(("record", "true")):
            target = form.target("RecordingStatusCallback", "completed")
            order = RecordingOrder(target, "DialVerb", 2 if wanted.endswith("dual") else 1)
            self.recording = recordings.begin(account, order, now, call_sid=self.call.sid)

    def _finish(self, account: Account, leg: Call, now: datetime) -> None:
        self.over, self.call.interrupted = True, None
        if self.recording:
            whole = 0 if leg.sid in self.whispers else leg.seconds  # what was whispered is not in it
            talked = whole or (now - self.recording.date_created).total_seconds()
            recordings.finish(account, self.recording, max(1, round(talked)), now)


def _address(noun: Verb) -> str:
    scheme = {"Client": "client:", "Sip": "sip:"}.get(noun.name, "")
    said = noun.text or next((each.text for each in noun.named("Identity")), "")
    return scheme + said.removeprefix(scheme)


def _enter(account: Account, call: Call, verb: Verb, noun: Verb, now: datetime) -> None:
    """Into a conference, made by its first participant; the call goes on when it leaves or the conference ends."""
    conference = conferences.named(account, noun.text, noun.form(call.base, "Conference"), now)
    if conference is None:
        act(account, call, verb, "dial", parameters.dialed_part(None, "failed"), now)
        return
    form = noun.form(call.base)
    participant = Participant(
        call.sid,
        call.index,
        conference.sid,
        form.get("ParticipantLabel") or None,
        now,
        now,
        start_on_enter=form.flag("StartConferenceOnEnter", True),
        end_on_exit=form.flag("EndConferenceOnExit"),
        muted=form.flag("Muted"),
        coaching=bool(form.get("Coach")),
        call_sid_to_coach=form.get("Coach") or None,
        wait=form.document("Wait"),
        status="connected",
    )
    account.participants[call.sid] = participant
    call.turn += 1
    call.interrupted = lambda account, call, now: conferences.leave(account, participant, call, now)

    def freed(account: Account, call: Call, now: datetime) -> None:
        call.interrupted = call.freed = None
        conferences.leave(account, participant, call, now)
        act(account, call, verb, "dial", parameters.dialed_part(None, "answered"), now)

    call.freed = freed
    conferences.join(account, participant, now)
