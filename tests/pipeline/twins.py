"""What brain and hands work on: clock, topics, store and ledger in memory, which may fail at any effect."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from processors.contract.actions import Action
from processors.domain.facts import Resource
from processors.domain.stamps import Stamp
from processors.store.port import Forgotten, MemoryStore, StoreUnavailable
from processors.stream.batch import Batch, Record
from processors.stream.producer import BrokerUnavailable, Outgoing
from sinks.ledger.entries import Entry, Search, Settlement, State
from sinks.ledger.limits import Terms
from sinks.ledger.port import Claimed, LedgerUnavailable, MemoryLedger
from tests.histories.voice import START
from tests.pipeline.faults import Crash, Faults, Freeze


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def until(self, time: datetime) -> None:
        self.now = max(self.now, time)


class Topics:
    """Every topic has one partition. A group's offset moves only when its handler has returned."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.records: dict[str, list[Record]] = {}
        self.offsets: Counter[tuple[str, str]] = Counter()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Those before a fault are kept, and so may be the one that it strikes at: no answer is no answer."""
        for topic, key, value, headers, _ in records:
            await self._faults.meet(BrokerUnavailable, Crash, Freeze)
            log = self.records.setdefault(topic, [])
            log.append(Record(topic, 0, len(log), 0, key, value, headers))
            await self._faults.meet(BrokerUnavailable, Crash)

    def behind(self, group: str, topic: str) -> int:
        return len(self.records.get(topic, ())) - self.offsets[group, topic]

    def next(self, group: str, topic: str, size: int) -> Batch:
        at = self.offsets[group, topic]
        return Batch(topic, 0, self.records[topic][at : at + size])


class Entries(MemoryLedger):
    """The ledger, which may be away before and after each transaction."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    async def record(self, actions: Sequence[Action], now: float) -> int:
        await self._faults.meet(LedgerUnavailable, Crash)
        recorded = await super().record(actions, now)
        await self._faults.meet(LedgerUnavailable, Crash)
        return recorded

    def turns(self, now: float, terms: Terms) -> Sequence[float]:
        """When something can be claimed: now, or at the times when it may be."""
        if any(self._heads(now, terms.patience)):
            return [now]
        waiting = [entry for entry in self.entries.values() if entry.state in (State.WAITING, State.UNKNOWN)]
        times = [time for entry in waiting for time in (entry.due, entry.since + terms.patience)]
        return [time for time in times if time > now]

    async def claim(self, limit: int, now: float, terms: Terms) -> Claimed:
        await self._faults.meet(LedgerUnavailable, Crash)
        claimed = await super().claim(limit, now, terms)
        await self._faults.meet(LedgerUnavailable, Crash)
        return claimed

    async def searched(self, search: Search, now: float) -> None:
        await self._faults.meet(LedgerUnavailable, Crash)
        await super().searched(search, now)
        await self._faults.meet(LedgerUnavailable, Crash)

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        await self._faults.meet(LedgerUnavailable, Crash)
        await super().settle(settlements, now)
        await self._faults.meet(LedgerUnavailable, Crash)

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        await self._faults.meet(LedgerUnavailable, Crash)
        found = await super().sighted(effects, now)
        await self._faults.meet(LedgerUnavailable, Crash)
        return found

    async def published(self, entries: Iterable[Entry]) -> None:
        await self._faults.meet(LedgerUnavailable, Crash)
        await super().published(entries)


class Rows(MemoryStore):
    """The state store, which may be away or see its client die before and after each statement."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource | Forgotten]:
        await self._faults.meet(StoreUnavailable, Crash)
        found = await super().read(keys)
        await self._faults.meet(Freeze)
        return found

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        await self._faults.meet(StoreUnavailable, Crash, Freeze, Freeze)
        await super().write(rows, expected)
        await self._faults.meet(StoreUnavailable, Crash)

    async def claim(self, now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        await self._faults.meet(StoreUnavailable, Crash)
        claimed = await super().claim(now, until, limit)
        await self._faults.meet(StoreUnavailable, Crash)
        return claimed
