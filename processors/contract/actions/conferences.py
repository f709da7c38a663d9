"""Actions on conferences and their recordings. A conference begins with its first participant.

https://www.twilio.com/docs/voice/api/conference-resource
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contract.sids import ConferenceSid
from ingest.contract.times import Instant
from processors.contract.actions.action import ActionBase, ListForTopic, Method, Url

Status = Literal["init", "in-progress", "completed"]


class ConferenceAction(ActionBase):
    conference_sid: ConferenceSid


class FetchConference(ConferenceAction):
    """GET /Conferences/{Sid}. Repeatable."""

    type: Literal["conferences.fetch"] = "conferences.fetch"


class ListConferences(ListForTopic):
    """GET /Conferences. Repeatable. The provider is asked for whole days of UTC, and what is outside of a window left
    out of its answer; `date_created` and `date_updated` are days.

    Without `status` the provider will show only those in progress, from 2026-09-30.
    https://www.twilio.com/docs/voice/api/conference-resource#read-multiple-conference-resources
    """

    type: Literal["conferences.list"] = "conferences.list"
    friendly_name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    status: Status | None = None
    date_created: Instant | None = None
    date_created_after: Instant | None = None
    date_created_before: Instant | None = None
    date_updated: Instant | None = None
    date_updated_after: Instant | None = None
    date_updated_before: Instant | None = None


class EndConference(ConferenceAction):
    """POST /Conferences/{Sid} Status=completed. Repeatable."""

    type: Literal["conferences.end"] = "conferences.end"


class AnnounceToConference(ConferenceAction):
    """POST /Conferences/{Sid} AnnounceUrl: everybody hears what it says. Not repeatable: it would be heard twice."""

    is_repeatable: ClassVar[bool] = False
    type: Literal["conferences.announce"] = "conferences.announce"
    announce_url: Url
    announce_method: Method | None = None


class ListConferenceRecordings(ListForTopic):
    """GET /Conferences/{Sid}/Recordings. Repeatable. Days and windows are those of `conferences.list`.

    https://www.twilio.com/docs/voice/api/recording
    """

    type: Literal["conference_recordings.list"] = "conference_recordings.list"
    conference_sid: ConferenceSid
    date_created: Instant | None = None
    date_created_after: Instant | None = None
    date_created_before: Instant | None = None


ConferencesAction = FetchConference | ListConferences | EndConference | AnnounceToConference | ListConferenceRecordings
