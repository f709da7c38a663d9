"""Listing: a list is read page by page, and what a page shows is published before the next one is asked for.

So one page is all that is ever held, and by the time the ledger hears that the list is done, all of it is in Kafka.
A crash on the way repeats the list, and the observations under the same ids.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from ingest.contract.events import Event
from processors.contract.actions import AnyList, ListForTopic
from sinks.twilio.observations import observe_page, references
from sinks.twilio.replies import Done, Listed, Lost, NotYet, Refused, Reply
from sinks.twilio.shown import Summary, Unreadable, bounded

log = structlog.get_logger("sinks")

# For one page, before the whole list is left for later: it would begin with its first page again.
TRIES = 5
# Resources, of which a list by day may leave most out.
MOST_READ = 10_000

Ask = Callable[[str | None], Awaitable[Reply]]
Publish = Callable[[Sequence[Event]], Awaitable[None]]
Pause = Callable[[int], Awaitable[None]]


async def read_list(action: AnyList, ask: Ask, publish: Publish, pause: Pause) -> Reply:
    """`ask` reads the page at a URI, or the first; `pause` waits before try number n of a page.

    Listed, once all is published; else why not. What has no topic goes into the result.
    """
    uri, read, kept, observed = None, 0, 0, 0
    resources: list[Summary] = []
    while True:
        reply = await _page(uri, ask, pause)
        if not isinstance(reply, Done):
            return reply
        try:
            page = observe_page(action, reply.body, action.limit - kept)
        except Unreadable as error:
            log.error("list could not be read", action=action.type, id=action.id, fields=str(error))
            return Refused(reply.http_status, None, "unreadable")
        if page.unreadable:
            wrong = sorted(set(page.unreadable))
            log.error("resources could not be read", action=action.type, id=action.id, fields=wrong[:10])
        await publish(page.events)
        read += page.read
        resources += page.resources
        if isinstance(action, ListForTopic) and action.sids:
            resources += references(page.events)
        kept += len(page.events) + len(page.unreadable) + len(page.resources)
        observed += len(page.events) + len(page.resources)
        if page.next_uri is None or kept >= action.limit or read >= MOST_READ:
            return Listed(reply.http_status, observed, bounded(resources))
        uri = page.next_uri


async def _page(uri: str | None, ask: Ask, pause: Pause) -> Reply:
    """One page. Where there are pages before it, they are worth a few tries here."""
    reply = await ask(uri)
    for attempt in range(1, TRIES if uri is not None else 1):
        if not isinstance(reply, NotYet | Lost):
            break
        await pause(attempt)
        reply = await ask(uri)
    return reply
