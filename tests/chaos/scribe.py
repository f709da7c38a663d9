"""A worker that publishes what it reads, waits, and writes it down: `scribe.py BOOTSTRAP TOPIC FILE PORT PAUSE`.

A line `out PARTITION FIRST LAST` tells that a batch was published, a line `in …` that it was written.
"""

import asyncio
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from ingest.contract.kafka import Kafka
from processors.stream.app import BatchApp, create_app
from processors.stream.batch import Batch
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import KafkaProducer, Outgoing
from processors.stream.run import Worker, configure_logs
from processors.stream.settings import StreamSettings


async def main(bootstrap: str, topic: str, path: Path, port: int, pause: float) -> int:
    kafka = Kafka(bootstrap_servers=bootstrap, session_timeout=6.0, rebalance_timeout=6.0)
    settings = StreamSettings(batch_records=50, commit_interval=0.1, port=port, stop_grace=0.2)
    producer, registry = KafkaProducer(kafka, deadline=5.0), CollectorRegistry()

    def note(what: str, batch: Batch) -> None:
        with path.open("a") as notes:
            notes.write(f"{what} {batch.partition} {batch.records[0].offset} {batch.records[-1].offset}\n")

    async def handle(batch: Batch) -> None:
        copies = [Outgoing(f"{topic}.out", r.key, r.value, (), batch.partition) for r in batch.records]
        await producer.publish(copies)
        note("out", batch)
        await asyncio.sleep(pause)  # where it may be frozen or told to end: published, and not written
        note("in", batch)

    def create() -> BatchApp:
        return create_app(
            group="scribes", kafka=kafka, handlers={topic: handle}, settings=settings, metrics=StreamMetrics(registry)
        )

    try:
        return await Worker(create, kafka=kafka, topics=[topic], settings=settings, registry=registry).run()
    finally:
        await producer.stop()


if __name__ == "__main__":
    configure_logs()
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))))
