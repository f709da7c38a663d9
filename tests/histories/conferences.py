"""The life of a conference and of everyone in it, https://www.twilio.com/docs/voice/twiml/conference."""

from typing import Any

from ingest.contract.events import ConferenceObserved, ConferenceUpdated, ParticipantObserved
from tests.histories.voice import ASKED, BY_RULE, DEEP, Voice

CHANGES = (
    ("participant-mute", "participant-unmute", "muted"),
    ("participant-hold", "participant-unhold", "hold"),
    ("participant-modify", "participant-modify", "coaching"),
)
REASONS = ("participant_hung_up", "participant_updated_via_api", "moderator_ended_conference")
ENDINGS = ("last-participant-left", "conference-ended-via-api", "participant-with-end-conference-on-exit-left")


class Somebody:
    """One call in the conference. A label is the id of the action that brought it, where one did."""

    def __init__(self, voice: Voice) -> None:
        self.call_sid = voice.sid("CA")
        self.label = voice.any((None, None, "front desk", ASKED, BY_RULE, DEEP))
        self.there = False
        self.state: dict[str, Any] = {"muted": False, "hold": False, "coaching": False}
        self.fixed = {"end_conference_on_exit": voice.sometimes(0.5), "start_conference_on_enter": True}

    def who(self) -> dict[str, Any]:
        return {"call_sid": self.call_sid, "participant_label": self.label}


class Conference:
    def __init__(self, voice: Voice, people: int) -> None:
        self.voice = voice
        self.key = voice.sid("CF")
        self.people = [Somebody(voice) for _ in range(people)]
        self.sequence = 0
        # Some accounts of the same events hold no number; then their times tell.
        self.is_counted = voice.sometimes(0.9)

    def live(self, steps: int) -> None:
        voice = self.voice
        for step in range(steps):
            voice.waits()
            if self.people and voice.sometimes(0.9):
                self._one(voice.any(self.people))
            else:
                self._announced()
            if step == 1:
                self._says("conference-start")
                if voice.sometimes(0.2):
                    self._shown("in-progress")
        if voice.sometimes(0.8):
            self._end()

    def _end(self) -> None:
        for one in self.people:
            if one.there:
                self._leaves(one, "conference_ended_via_api")
        self.voice.waits()
        reason = self.voice.any(ENDINGS)
        self._says("conference-end", {"reason_conference_ended": reason, "reason": "it is over"})
        if self.voice.sometimes(0.3):
            self._shown("completed", reason)

    def _one(self, one: Somebody) -> None:
        voice = self.voice
        if not one.there:
            if voice.sometimes(0.1):
                # Somebody who could not be added leaves without having come.
                return self._leaves(one, "participant_add_failed", "no-answer")
            one.there = True
            self._of(one, "participant-join")
        elif voice.sometimes(0.35):
            self._leaves(one, voice.any(REASONS))
        elif voice.sometimes(0.2):
            speech = voice.any(("participant-speech-start", "participant-speech-stop"))
            self._of(one, speech)
        else:
            on, off, name = voice.any(CHANGES)
            one.state[name] = not one.state[name]
            self._of(one, on if one.state[name] else off)
        if voice.sometimes(0.15):
            fields = {"conference_sid": self.key, **one.who(), **one.fixed}
            is_ours = one.label in (ASKED, BY_RULE, DEEP)
            voice.shows(ParticipantObserved, fields, one.label if is_ours else None)
        return None

    def _leaves(self, one: Somebody, reason: str, ended: str = "completed") -> None:
        one.there = False
        one.state = {"muted": False, "hold": False, "coaching": False}
        self._of(one, "participant-leave", {"reason_participant_left": reason, "participant_call_status": ended})

    def _of(self, one: Somebody, event: str, more: dict[str, Any] | None = None) -> None:
        self._says(event, {**one.who(), **one.state, **one.fixed, **(more or {})})

    def _announced(self) -> None:
        event = self.voice.any(("announcement-end", "announcement-fail", "conference-levitate"))
        self._says(event, {"announce_url": "https://example.com/announcement"})

    def _says(self, event: str, more: dict[str, Any] | None = None) -> None:
        self.sequence += 1
        if self.voice.sometimes(0.08):
            return  # nobody subscribed to it, or it was lost
        fields = {
            "conference_sid": self.key,
            "event": event,
            "sequence_number": self.sequence if self.is_counted else None,
            "timestamp": self.voice.now,
            "friendly_name": "stand-up",
        }
        self.voice.calls(ConferenceUpdated, fields | (more or {}))
        if not self.is_counted:
            self.voice.waits()  # so that the times do tell

    def _shown(self, status: str, reason: str | None = None) -> None:
        self.voice.shows(
            ConferenceObserved,
            {
                "conference_sid": self.key,
                "status": status,
                "friendly_name": "stand-up",
                "region": "us1",
                "reason_conference_ended": reason,
                "unsolicited": self.voice.sometimes(0.5),
            },
        )


def conference(voice: Voice) -> None:
    """Several people, each of whom does little."""
    Conference(voice, voice.any((0, 1, 2, 2))).live(voice.any((2, 3, 5)))


def participant(voice: Voice) -> None:
    """One person who does much, comes back too, and may not be alone."""
    Conference(voice, voice.any((1, 1, 1, 2))).live(voice.any((3, 5, 8)))
