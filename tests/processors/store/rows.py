"""Rows for the store's tests, at seconds of one day."""

from processors.domain.facts import Attribute, Facts, Resource, Seen
from processors.store.port import Store

ACCOUNT = "AC" + "0" * 32
NUMBER = "+15552223333"


def at(second: int) -> str:
    return f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000000Z"


def sid(number: int, prefix: str = "SM") -> str:
    return f"{prefix}{number:032x}"


def facts(second: int = 0, attributes: dict[str, Attribute] | None = None, **statuses: int) -> Facts:
    seen: dict[str, Seen] = {name: (at(time), None) for name, time in (statuses or {"queued": second}).items()}
    return Facts(seen, {}, {}, attributes if attributes is not None else {"to": (NUMBER, -1, "")})


def row(number: int, version: int = 1, due: str | None = None, known: Facts | None = None) -> Resource:
    return Resource(sid(number), "message", ACCOUNT, version, known or facts(), due)


def call(number: int, **told: str) -> Resource:
    return Resource(sid(number, "CA"), "call", ACCOUNT, 1, facts(attributes=plain(**told)))


def recording(number: int, **told: str) -> Resource:
    return Resource(sid(number, "RE"), "recording", ACCOUNT, 1, facts(attributes=plain(**told)))


def plain(**told: str) -> dict[str, Attribute]:
    """`from_` is `from`, which is a word of the language."""
    return {name.rstrip("_"): (value, -1, "") for name, value in told.items()}


async def put(store: Store, *rows: Resource) -> None:
    await store.write(rows, {each.key: each.version - 1 for each in rows})


async def stored(store: Store, key: str) -> Resource:
    found = (await store.read([key]))[key]
    assert isinstance(found, Resource)
    return found
