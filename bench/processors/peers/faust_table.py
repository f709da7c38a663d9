"""Stock Faust as its documentation has it: an agent over a topic, a table in memory with its changelog.

`faust_table.py BROKER INPUT OUTPUT GROUP FOLDER PARTITIONS COMMIT_SECONDS`
"""

import sys
from typing import Any

import faust
import orjson

from bench.processors.job import is_further, said


def create(broker: str, source: str, output: str, group: str, folder: str, partitions: int, commit: float) -> faust.App:
    app = faust.App(
        group,
        broker=f"aiokafka://{broker}",
        store="memory://",
        datadir=folder,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=commit,
        producer_acks=-1,
    )
    events, changes = app.topic(source, internal=False), app.topic(output)
    table = app.Table("furthest", partitions=partitions)

    async def furthest(stream: Any) -> None:
        async for value in stream:
            event = orjson.loads(value)
            sid, status = event["message_sid"], event["status"]
            before, version = table.get(sid) or (None, 0)
            if is_further(status, before):
                table[sid] = (status, version + 1)
                await changes.send(key=sid.encode(), value=orjson.dumps(said(sid, status, before, version + 1)))

    app.agent(events)(furthest)
    return app


if __name__ == "__main__":
    broker, source, output, group, folder, partitions, commit_seconds = sys.argv[1:]
    app = create(broker, source, output, group, folder, int(partitions), float(commit_seconds))
    # Without the option, it would listen on all interfaces, whatever the app's own setting says.
    sys.argv[1:] = ["worker", "--without-web", "--loglevel", "warn"]
    app.main()
