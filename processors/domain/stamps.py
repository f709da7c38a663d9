"""Stamps: instants as text of one width in UTC, `2026-01-31T23:59:59.000000Z`, so that text sorts as time does.

Facts, rows and changes hold them as they are: an event's time is spelled once and never parsed again.
"""

from datetime import UTC, datetime

Stamp = str

WIDTH = len("2026-01-31T23:59:59.000000Z")


def stamp(time: datetime) -> Stamp:
    """The spelling of an aware time."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    # Half of what `isoformat` costs, which asks for the offset that is known here; every event is stamped.
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % (  # noqa: UP031
        time.year, time.month, time.day, time.hour, time.minute, time.second, time.microsecond,
    )  # fmt: skip


def instant(text: Stamp) -> datetime:
    return datetime.fromisoformat(text)
