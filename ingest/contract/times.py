"""The provider's clock formats. RFC 2822 in webhooks and in 2010-04-01 answers; RFC 3339 in our own JSON."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator


def read_rfc2822(value: object) -> object:
    """A time as the provider writes it, `Wed, 20 Apr 2022 23:45:25 +0000`; anything else is left to pydantic."""
    if isinstance(value, str) and value[:3].isalpha():
        return parsedate_to_datetime(value)
    return value


def to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def rfc2822(value: datetime) -> str:
    return format_datetime(value.astimezone(UTC))


def rfc3339(value: datetime) -> str:
    """One spelling for one instant: UTC, microseconds only where there are any, `Z`."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat()[:-6] + "Z"


def read_rfc3339(text: str) -> datetime:
    """The instant, in UTC. Raises ValueError for a time without a zone, OverflowError for one that UTC cannot say."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


Instant = Annotated[AwareDatetime, BeforeValidator(read_rfc2822), AfterValidator(to_utc)]
"""A point in time, always UTC. Reads RFC 2822 and RFC 3339; refuses times without a zone."""
