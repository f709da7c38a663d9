"""Topics that the hands own."""

from collections.abc import Sequence

from ingest.contract.topics import DAY_MS, Topic

RESULTS = Topic("action-results", cleanup="compact,delete", retention_ms=30 * DAY_MS)

TOPICS: Sequence[Topic] = (RESULTS,)
