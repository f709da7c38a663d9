"""Runs: one worker, from an empty output topic and an empty store to the last record, measured and checked."""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processors.checking import check, check_store
from bench.processors.history import History, records
from bench.processors.measuring import Measured, running, watch
from bench.processors.services import Service, create_database, drop_database
from bench.processors.topics import Ends, create, delete, delete_group, fill
from bench.processors.workers import Place, Worker
from ingest.contract.topics import DEAD_LETTERS, EVENT_TOPICS, MESSAGES
from processors.app import GROUP
from processors.contract.topics import ACTIONS, CHANGES


@dataclass(frozen=True)
class Stage:
    """The services, and a history in a topic of its own, which every worker reads."""

    kafka: Service
    postgres: Service | None
    partitions: int
    prefix: str
    told: History

    @property
    def source(self) -> str:
        return MESSAGES.called(self.prefix)


def staged(kafka: Service, postgres: Service | None, partitions: int, told: History) -> Stage:
    """The history written once."""
    stage = Stage(kafka, postgres, partitions, f"bench-{uuid.uuid4().hex[:8]}", told)
    create(kafka.address, [topic.called(stage.prefix) for topic in (*EVENT_TOPICS, DEAD_LETTERS)], partitions)
    fill(kafka.address, stage.source, partitions, records(told))
    return stage


def run(stage: Stage, worker: Worker, known: str | None = None) -> Measured:
    """`known` is a store to begin with, a file or a database of the cluster. Raises CannotRun and Mismatch."""
    told = stage.told
    outputs = told.facts if worker.product else told.changes
    with (
        _place(stage, worker, known) as place,
        contextlib.closing(Ends(place.broker, place.output, place.partitions)) as ends,
    ):
        with running(worker.name, worker.command(place), worker.environment(place)) as process:
            server = stage.postgres if worker.database == "postgres" else None
            measured = watch(
                worker.name,
                process,
                ends,
                outputs=outputs,
                events=len(told.events),
                broker=stage.kafka.pid,
                database=server.pid if server else None,
            )
        check(place.broker, place.output, place.partitions, told, outputs=outputs, versions=not worker.product)
        if worker.database:
            check_store(place.database, told, product=worker.product, all_=known is None)
        return measured


@contextlib.contextmanager
def _place(stage: Stage, worker: Worker, known: str | None) -> Iterator[Place]:
    """A group, output topics and a store that no worker has used before; gone afterwards."""
    name = f"run-{uuid.uuid4().hex[:8]}"
    broker = stage.kafka.address
    outputs = [CHANGES.called(stage.prefix), ACTIONS.called(stage.prefix)] if worker.product else [f"{name}.output"]
    create(broker, outputs, stage.partitions)
    try:
        with tempfile.TemporaryDirectory() as folder, _database(stage, worker, name, folder, known) as database:
            yield Place(broker, stage.source, outputs[0], name, stage.partitions, Path(folder), database)
    finally:
        if worker.product:
            delete_group(broker, GROUP)  # it has one name, whoever runs it
        for prefix in (name, *outputs):
            delete(broker, prefix)


@contextlib.contextmanager
def _database(stage: Stage, worker: Worker, name: str, folder: str, known: str | None) -> Iterator[str]:
    """An empty one, or a copy of what is known."""
    if worker.database != "postgres":
        path = str(Path(folder) / "state.sqlite")
        if known is not None:
            shutil.copyfile(known, path)
        yield path
        return
    assert stage.postgres is not None, "this worker needs PostgreSQL"
    try:
        yield create_database(stage.postgres, name, known or "template1")
    finally:
        drop_database(stage.postgres, name)
