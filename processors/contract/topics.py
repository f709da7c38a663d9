"""Topics that the brain owns."""

from collections.abc import Sequence

from ingest.contract.topics import DAY_MS, Topic

CHANGES = Topic(
    "changes",
    cleanup="compact,delete",
    retention_ms=30 * DAY_MS,
    settings={"min.compaction.lag.ms": str(7 * DAY_MS)},
)
ACTIONS = Topic("actions")

TOPICS: Sequence[Topic] = (CHANGES, ACTIONS)
