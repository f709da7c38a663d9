"""What is due: a heap, run in its order as its clock goes on.

A step's own due time, not the moment at which the loop got round to it, is where its followers count from;
so the order of everything in the heap depends on the draws only, however busy the process is.
"""

import heapq
import itertools
from collections.abc import Callable

from deploy.emulator.clocks import Clock

BATCH = 200  # due entries run before the loop may serve requests again


class Agenda:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[[], None], Callable[[], bool]]] = []
        self._count = itertools.count()
        self._running: float | None = None  # the due time of the entry that runs now

    def __len__(self) -> int:
        """How much is still to come: what a hang-up or a cancellation has overtaken is not."""
        return sum(wanted() for *_, wanted in self._heap)

    def instant(self) -> float:
        """Provider seconds; inside an entry, the time at which it was due."""
        return self._clock.instant() if self._running is None else self._running

    def after(self, seconds: float, run: Callable[[], None], wanted: Callable[[], bool] = lambda: True) -> None:
        heapq.heappush(self._heap, (self.instant() + max(seconds, 0), next(self._count), run, wanted))
        if self._running is None:
            self._wake()

    def due(self) -> float | None:
        """The instant of the next entry that is still wanted."""
        while self._heap and not self._heap[0][3]():
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        """Run the next entry. `due` has said that there is one."""
        try:
            self._running, _, run, _ = heapq.heappop(self._heap)
            run()
        finally:
            self._running = None

    def close(self) -> None:
        self._heap.clear()
        self._wake()

    def _wake(self) -> None:
        self._clock.wake(self.due(), self._run)

    def _run(self) -> None:
        now = self._clock.instant()
        try:
            for _ in range(BATCH):
                due = self.due()
                if due is None or due > now:
                    break
                self.run_next()
        finally:
            self._wake()
