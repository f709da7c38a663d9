"""One run: traffic on a stack, until everything that was begun has ended; then the reckoning."""

import asyncio
import contextlib

import httpx
from aiokafka.errors import KafkaError

from deploy.dev.reckoning import Reckoning, read_state, reckon, total
from deploy.dev.stack import Stack
from deploy.dev.traffic import Amount, Traffic
from deploy.dev.watching import Watcher
from ingest.contract.topics import CALLS, CONFERENCES, EVENT_TOPICS, MESSAGES
from processors.contract.topics import ACTIONS

PROCESSORS_GROUP, ACTIONS_GROUP = "switchhook-processors", "switchhook-sinks-actions"

HANDS_READ = (ACTIONS, MESSAGES, CALLS, CONFERENCES)
"""What is to do, and where its effects are seen: an unknown action is known once its callback has been read."""

# The ledger's gauges are a second old at most; so many looks, 0.3 s apart, are later than that.
CALM = 5


class Run:
    """`waiting_for` says in words what has not ended yet."""

    def __init__(self, stack: Stack, amount: Amount) -> None:
        self.stack = stack
        self.watcher = Watcher(stack.kafka)
        self.traffic = Traffic(stack, self.watcher, amount, stack.plan.seed)
        self.waiting_for = "the first events"
        self._following: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.watcher.start()
        self._asking = asyncio.create_task(self.traffic.run(), name="traffic")
        self._following = asyncio.create_task(self.traffic.follow(), name="following")

    async def stop(self) -> None:
        tasks = [task for task in (self._asking, self._following) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.traffic.stop()
        await self.watcher.stop()

    async def ask(self) -> None:
        """Returns once everything was asked for. Raises what ended the traffic early."""
        assert self._asking is not None
        while not self._asking.done() and not self.stack.dead():
            self.waiting_for = "everything to be asked for"
            await asyncio.sleep(0.2)
        if self._asking.done():
            self._asking.result()

    async def finish(self) -> None:
        """Returns once all is asked for and quiet."""
        await self.ask()
        calm = 0
        while calm < CALM and not self.stack.dead():
            self.waiting_for = await self._open()
            calm = 0 if self.waiting_for else calm + 1
            await asyncio.sleep(0.3)

    async def reckon(self, *, lost_allowed: bool = False) -> Reckoning:
        async with self.stack.emulator_client() as emulator:
            truth = (await emulator.get("/emulator/truth")).json()
        metrics = dict.fromkeys(("ingest", "processors", "actions"), "")
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            for name in metrics:
                with contextlib.suppress(httpx.HTTPError):
                    metrics[name] = (await client.get(f"{self.stack.url(name)}/metrics")).text
        found = reckon(truth, self.watcher.seen, read_state(self.stack.state_file), metrics, lost_allowed=lost_allowed)
        if self.waiting_for:
            found.differences.insert(0, f"not finished in time; still waiting for {self.waiting_for}")
        found.differences += [f"{name} has ended by itself" for name in self.stack.dead()]
        return found

    async def _open(self) -> str:
        prefix = self.stack.kafka.topic_prefix
        with contextlib.suppress(httpx.HTTPError):
            async with self.stack.emulator_client() as emulator:
                pending = (await emulator.get("/emulator/quiet")).json()["pending"]
            if pending:
                return f"the provider ({pending} steps)"
            try:
                if behind := await self.watcher.behind():
                    return f"this watcher ({behind} records)"
                if lag := await self.watcher.lag(PROCESSORS_GROUP, [t.called(prefix) for t in EVENT_TOPICS]):
                    return f"the brain ({lag} events)"
                if lag := await self.watcher.lag(ACTIONS_GROUP, [topic.called(prefix) for topic in HANDS_READ]):
                    return f"the hands ({lag} records)"
            except KafkaError as error:
                return f"the broker ({type(error).__name__})"
            still_open = self.watcher.seen.open()
            if still_open:
                return f"{len(still_open)} actions, as {still_open[0]}"
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                scraped = (await client.get(f"{self.stack.url('actions')}/metrics")).text
            # What was unknown may have been seen since, and waits to be looked up.
            under_way = sum(total(scraped, "switchhook_sinks_open", state=state) for state in ("waiting", "running"))
            return f"the hands ({under_way:.0f} actions under way)" if under_way else ""
        return "an answer of the emulator or of the hands"
