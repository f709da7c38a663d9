"""Provider time: a heap of what is due, run in its order, at `speed` provider seconds to one real second.

A step's own due time, not the moment at which the loop got round to it, is where its followers count from;
so the order of everything in the heap depends on the draws only, however busy the process is.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable

SLOWEST, FASTEST = 0.01, 10_000.0
BATCH = 200  # due entries run before the loop may serve requests again


class Agenda:
    def __init__(self, speed: float) -> None:
        self.speed = min(max(speed, SLOWEST), FASTEST)
        self._heap: list[tuple[float, int, Callable[[], None], Callable[[], bool]]] = []
        self._count = itertools.count()
        self._running: float | None = None  # the due time of the entry that runs now
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How much is still to come: what a hang-up or a cancellation has overtaken is not."""
        return sum(wanted() for *_, wanted in self._heap)

    def instant(self) -> float:
        """Provider seconds; inside an entry, the time at which it was due."""
        if self._running is not None:
            return self._running
        return asyncio.get_running_loop().time() * self.speed

    def after(self, seconds: float, run: Callable[[], None], wanted: Callable[[], bool] = lambda: True) -> None:
        heapq.heappush(self._heap, (self.instant() + max(seconds, 0), next(self._count), run, wanted))
        if self._running is None:
            self._wake()

    def close(self) -> None:
        self._heap.clear()
        self._wake()

    def _wake(self) -> None:
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._heap[0][0] / self.speed, self._run) if self._heap else None

    def _run(self) -> None:
        now = self.instant()
        try:
            for _ in range(BATCH):
                if not self._heap or self._heap[0][0] > now:
                    break
                self._running, _, run, _ = heapq.heappop(self._heap)
                run()
        finally:
            self._running = None
            self._wake()
