"""What an account may do in a second: queues in which messages and calls wait for their turn, and refused requests.

https://www.twilio.com/docs/messaging/guides/scaling-queueing-latency and the provider's errors 20429, 21611, 22005
and 30001.
"""

from collections import deque
from dataclasses import dataclass, field

from pydantic import NonNegativeFloat, NonNegativeInt


@dataclass(frozen=True)
class Limits:
    """Nothing is limited where it says 0."""

    segments_per_second: NonNegativeFloat = 0  # of each sender, or each messaging service
    calls_per_second: NonNegativeFloat = 0
    message_queue_seconds: NonNegativeFloat = 36_000  # a queue that is longer takes no more
    call_queue_seconds: NonNegativeFloat = 86_400
    requests_per_second: NonNegativeInt = 0  # real seconds (virtual ones in virtual time): the caller's are real
    concurrent_requests: NonNegativeInt = 0


@dataclass
class Queues:
    """When each queue is free again, in provider seconds."""

    free: dict[str, float] = field(default_factory=dict)

    def length(self, queue: str, now: float) -> float:
        """How many seconds whoever comes now would wait."""
        return max(0.0, self.free.get(queue, 0) - now)

    def turn(self, queue: str, takes: float, ready: float) -> float:
        """The instant at which whoever is ready then has its turn; it holds up the next by what it takes."""
        at = max(ready, self.free.get(queue, 0))
        self.free[queue] = at + takes
        return at


@dataclass
class Window:
    """The requests of the last second, and whether one more may run."""

    limits: Limits
    begun: deque[float] = field(default_factory=deque)

    def admits(self, now: float, running: int) -> bool:
        """One more, at `now` seconds, beside those that run. Refused ones do not count."""
        while self.begun and self.begun[0] <= now - 1:
            self.begun.popleft()
        most, together = self.limits.requests_per_second, self.limits.concurrent_requests
        if (most and len(self.begun) >= most) or (together and running >= together):
            return False
        self.begun.append(now)
        return True
