"""Dead letters: a record that cannot be read, kept whole with where it was and why, so that it can be put back."""

from datetime import datetime

from ingest.contract.times import rfc3339
from processors.stream.batch import Record
from processors.stream.producer import Outgoing


def dead_letter(record: Record, *, stage: str, reason: str, topic: str, at: datetime) -> Outgoing:
    """The original key, bytes and headers, with `dl_…` headers added."""
    headers = (
        *((name, value) for name, value in record.headers if not name.startswith("dl_")),
        ("dl_topic", record.topic.encode()),
        ("dl_partition", str(record.partition).encode()),
        ("dl_offset", str(record.offset).encode()),
        ("dl_stage", stage.encode()),
        ("dl_reason", reason.encode()),
        ("dl_time", rfc3339(at).encode()),
    )
    return Outgoing(topic, record.key, record.value, headers)
