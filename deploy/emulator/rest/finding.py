"""Finding what a path names: an operation that does not find it raises, and is answered 404 in one place."""

from typing import Protocol, TypeVar


class Missing(LookupError):
    """What the path names is not there: https://www.twilio.com/docs/api/errors/20404"""


class _Deletable(Protocol):
    deleted: bool


Found = TypeVar("Found", bound=_Deletable)


def existing(found: Found | None) -> Found:
    """The resource, if it is there and not deleted. Raises Missing."""
    if found is None or found.deleted:
        raise Missing
    return found
