"""Whatever is done, in whatever order: SQL answers as the twin in memory does."""

import random
from collections.abc import Mapping, Sequence

import pytest

from processors.contract.changes import Kind
from processors.domain.facts import Attribute, Facts, Resource, Seen, Value
from processors.store.port import Conflict, MemoryStore, Store
from tests.processors.store.rows import ACCOUNT, NUMBER, at, sid

STEPS = 250
KINDS: Sequence[tuple[Kind, str]] = [("message", "SM"), ("call", "CA"), ("recording", "RE")]
KEYS = [(sid(number, prefix), kind) for kind, prefix in KINDS for number in range(5)]
CALLS = [key for key, kind in KEYS if kind == "call"]


class Chance(random.Random):
    def seen(self, now: int, *names: str) -> Mapping[str, Seen]:
        some = self.sample(names, self.randint(0, len(names)))
        return {name: (at(max(0, now - self.randrange(40))), self.choice([None, at(now)])) for name in some}

    def attributes(self) -> dict[str, Attribute]:
        values: Sequence[Value] = [NUMBER, f"{NUMBER}0", f"say {NUMBER}", "a\0ä", "", 7, 0, True, False]
        names = self.sample(["from", "to", "body", "direction", "num_media", "muted"], self.randint(0, 4))
        told: dict[str, Attribute] = {
            name: (self.choice(values), self.choice([-1, -1, 0, 3]), self.choice(["", at(5)])) for name in names
        }
        link = self.choice([None, "call_sid", "parent_call_sid"])
        return told if link is None else {**told, link: (self.choice(CALLS), -1, "")}

    def after(self, key: str, kind: Kind, before: object, now: int) -> Resource:
        known = before if isinstance(before, Resource) else Resource(key, kind, ACCOUNT)
        keeps = self.random() < 0.5  # the same object: what the store spares itself
        return known._replace(
            version=known.version + 1,
            facts=Facts(
                self.seen(now, "queued", "sent", "delivered", "busy"),
                self.seen(now, "received"),
                self.seen(now, "30005", "21610"),
                known.facts.attributes if keeps else self.attributes(),
            ),
            due=self.choice([None, known.due, at(now + self.randrange(60))]),
            sweeps=self.randrange(3),
        )


class Pair:
    """A store and the twin, asked the same."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.twin, self.chance = store, MemoryStore(), Chance(seed)

    async def write(self, now: int) -> None:
        some = self.chance.sample(KEYS, self.chance.randint(1, 4))
        keys = [key for key, _ in some]
        # Each goes on from its own reading, as workers do.
        read, same = await self.store.read(keys), await self.twin.read(keys)
        assert read == same
        rows = [self.chance.after(key, kind, read.get(key), now) for key, kind in some]
        expected = {row.key: row.version - 1 + (self.chance.random() < 0.05) for row in rows}
        told = [await kept(each, rows, expected) for each in (self.twin, self.store)]
        assert told[0] == told[1]

    async def claim(self, now: int) -> None:
        until = at(now + 30)
        limit = self.chance.choice([1, 3, 100])
        due = {key: row.due for key, row in self.twin.rows.items() if row.due is not None and row.due <= at(now)}
        claimed = await self.store.claim(at(now), until, limit)
        assert len(claimed) == min(limit, len(due))
        # Which of those that fall due together come first is left open, so the twin goes on with the same.
        for row in claimed:
            assert row.key in due
            assert row == self.twin.rows[row.key]._replace(due=until)
            self.twin.rows[row.key] = row

    async def expire(self, now: int) -> None:
        before = at(now - 30)
        assert await self.store.expire(before, at(now), 100) == await self.twin.expire(before, at(now), 100)

    async def bury(self, now: int) -> None:
        assert await self.store.bury(at(now - 20), 100) == await self.twin.bury(at(now - 20), 100)

    async def forget(self, now: int) -> None:
        assert await self.store.forget(NUMBER) == await self.twin.forget(NUMBER)

    async def children(self, now: int) -> None:
        sid = self.chance.choice(CALLS)
        assert await self.store.children(sid) == await self.twin.children(sid)

    async def step(self, now: int) -> None:
        (what,) = self.chance.choices(
            [self.write, self.claim, self.children, self.expire, self.bury, self.forget], [60, 15, 10, 5, 5, 5]
        )
        await what(now)


async def kept(store: Store, rows: Sequence[Resource], expected: Mapping[str, int]) -> bool:
    try:
        await store.write(rows, expected)
    except Conflict:
        return False
    return True


async def test_whatever_is_done_sql_answers_as_the_twin_does(store: Store, pytestconfig: pytest.Config) -> None:
    seed = pytestconfig.getoption("--seed")
    pair = Pair(store, seed)
    for step in range(STEPS):
        await pair.step(100 + step)
        keys = [key for key, _ in KEYS]
        assert await store.read(keys) == await pair.twin.read(keys), f"seed {seed}, step {step}"
    assert pair.twin.rows, "or nothing was compared"
