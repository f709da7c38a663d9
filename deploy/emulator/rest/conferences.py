"""Conferences over REST: read, listed, ended, announced to.

https://www.twilio.com/docs/voice/api/conference-resource
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, is_url, refusal
from deploy.emulator.forms import Request, within
from deploy.emulator.lives.conferences import announce, end
from deploy.emulator.resources import Conference
from deploy.emulator.rest import representations
from deploy.emulator.rest.finding import existing
from deploy.emulator.rest.pages import equal, page


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    query = request.query

    def keep(conference: Conference) -> bool:
        return (
            equal(query, "FriendlyName", conference.name)
            and equal(query, "Status", conference.status)
            and within(query, "DateCreated", conference.date_created)
            and within(query, "DateUpdated", conference.date_updated)
        )

    return page(account, request, "conferences", account.conferences.values(), keep, representations.conference)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, representations.conference(account, find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    conference, form = find(account, request), request.form
    if form.get("Status") not in ("", "completed"):
        return refusal(20001, "Status")
    if form.get("AnnounceUrl"):
        if not is_url(form.get("AnnounceUrl")):
            return refusal(21205, form.get("AnnounceUrl"))
        announce(account, conference, form)
    if form.get("Status"):
        end(account, conference, "conference-ended-via-api", "conference_ended_via_api", now)
    return Reply(200, representations.conference(account, conference))


def find(account: Account, request: Request) -> Conference:
    """The conference that the path names first, by its SID. Raises Missing."""
    return existing(account.conferences.get(request.ids[0]))
