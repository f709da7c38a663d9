"""Topics: declared once, with everything a broker needs to know, by the stage that owns their schema."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

DAY_MS = 24 * 60 * 60 * 1000
RECORD_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `name` is without the prefix that a deployment chooses (`comms` unless told otherwise)."""

    name: str
    cleanup: str = "delete"
    retention_ms: int = 7 * DAY_MS
    partitions: int = 12
    replication: int = 3
    settings: Mapping[str, str] = field(default_factory=dict)

    def called(self, prefix: str) -> str:
        return f"{prefix}.{self.name}"

    def config(self) -> Mapping[str, str]:
        """Topic-level settings as Kafka names them; https://kafka.apache.org/documentation/#topicconfigs."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "min.insync.replicas": str(max(1, self.replication - 1)),
            "unclean.leader.election.enable": "false",
            "max.message.bytes": str(RECORD_BYTES),
            **self.settings,
        }


def retention(topics: Iterable[Topic], prefix: str) -> Mapping[str, float]:
    """For how many seconds each keeps its records, by full name."""
    return {topic.called(prefix): topic.retention_ms / 1000 for topic in topics}


MESSAGES = Topic("messages")
CALLS = Topic("calls")
RECORDINGS = Topic("recordings")
CONFERENCES = Topic("conferences")
ERRORS = Topic("errors")
DEAD_LETTERS = Topic("dead-letters", retention_ms=90 * DAY_MS)

EVENT_TOPICS: Sequence[Topic] = (MESSAGES, CALLS, RECORDINGS, CONFERENCES)
TOPICS: Sequence[Topic] = (*EVENT_TOPICS, ERRORS, DEAD_LETTERS)

TOPIC_OF: Mapping[str, Topic] = {
    "message": MESSAGES,
    "call": CALLS,
    "recording": RECORDINGS,
    "conference": CONFERENCES,
    "participant": CONFERENCES,
    "error": ERRORS,
}
"""Event type up to its dot → topic. Participants are facts of their conference and share its key."""
