"""Quix Streams as its documentation has it: a data frame with state in RocksDB. Runs in an environment of its own.

`quix.py BROKER INPUT OUTPUT GROUP FOLDER COMMIT_SECONDS`
"""

import sys
from typing import Any

from quixstreams import Application, State

from bench.processors.job import is_further, said


def furthest(event: dict[str, Any], state: State) -> dict[str, Any] | None:
    """State is kept by the record's key, which is the SID."""
    before, version = state.get("furthest", (None, 0))
    if not is_further(event["status"], before):
        return None
    state.set("furthest", (event["status"], version + 1))
    return dict(said(event["message_sid"], event["status"], before, version + 1))


if __name__ == "__main__":
    broker, source, output, group, folder, commit_seconds = sys.argv[1:]
    app = Application(
        broker_address=broker,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_interval=float(commit_seconds),
        state_dir=folder,
        loglevel="WARNING",
    )
    events = app.topic(source, value_deserializer="json")
    changes = app.topic(output, value_serializer="json")
    frame = app.dataframe(events).apply(furthest, stateful=True)
    frame.filter(lambda change: change is not None).to_topic(changes)
    app.run()
