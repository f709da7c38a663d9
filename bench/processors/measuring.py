"""Measuring one worker over steady work: what it cost by the kernel's own count between 20 % and all of the events.

The same rule for all, applied from outside. Every worker makes the same records from the same input, so how many of
them its output topic holds says how far it is, without asking the worker, whose own counters and commits come in steps
of their own. What was spent is read beside it, ten times a second, and what lies between the first fifth and the last
record counts. Starting an interpreter or a JVM, joining the group, making tables and the first compiling do not; what
goes on while events flow does: compiling, collecting, compacting, commits (once a second for all), changelogs, and the
fsyncs of those that have them. Counted are all threads and children of the worker and, for PostgreSQL, all processes of
the server. What the broker spends is shown apart: changelogs are written there.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.processors.services import ROOT, WORK, CannotRun
from bench.processors.topics import Ends

STEADY_FROM = 0.2
_PAUSE_SECONDS, _LOOK_SECONDS, _STALL_SECONDS = 0.1, 1.0, 60.0


@dataclass(frozen=True)
class Sample:
    """CPU in seconds since the beginning of each: the worker, its database server, the broker."""

    at: float
    outputs: int
    worker: float
    database: float
    broker: float


@dataclass(frozen=True)
class Measured:
    """CPU in microseconds an event; memory in MB: the most that the worker had, what it had at the end, and what of
    that is its own and not a file's that it reads by mapping it."""

    rate: float
    worker: float
    database: float
    broker: float
    peak: float
    memory: float
    own: float

    @property
    def cpu(self) -> float:
        return self.worker + self.database


class Tree:
    """A process with all that it has started, and those that have ended."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._known: Sequence[psutil.Process] = [self._root]
        self._looked = 0.0

    def cpu(self) -> float:
        """Seconds of user and system time."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:  # it reads all of /proc
            self._known = [self._root, *self._root.children(recursive=True)]
            self._looked = time.monotonic()
        ended = self._root.cpu_times()
        return sum(map(_cpu, self._known)) + float(ended.children_user + ended.children_system)

    def memory(self, name: str) -> float:
        """MB, by the name that the kernel has for it: VmHWM, VmRSS, RssAnon."""
        return sum(_status(process.pid, name) for process in self._known)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # it is counted among those that have ended
    return float(times.user + times.system)


def _status(pid: int, name: str) -> float:
    """MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def running(name: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (WORK / f"{name}.log").open("wb") as log:
        given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def watch(
    name: str,
    process: "subprocess.Popen[bytes]",
    ends: Ends,
    *,
    outputs: int,
    events: int,
    broker: int,
    database: int | None,
) -> Measured:
    """Waits until all outputs are there. Raises CannotRun when the worker ends, or gets no further."""
    worker, other = Tree(process.pid), Tree(database) if database else None
    kafka, samples = Tree(broker), list[Sample]()
    moved = time.monotonic()
    while not samples or samples[-1].outputs < outputs:
        if process.poll() is not None:
            raise CannotRun(f"{name} ended with {process.returncode}; see {WORK / name}.log")
        now, before = time.monotonic(), samples[-1].outputs if samples else 0
        count = ends.count()
        samples.append(Sample(now, count, worker.cpu(), other.cpu() if other else 0.0, kafka.cpu()))
        moved = now if count > before else moved
        if now - moved > _STALL_SECONDS:
            raise CannotRun(f"{name} stands still at {count:,} of {outputs:,} records; see {WORK / name}.log")
        time.sleep(_PAUSE_SECONDS)
    return _steady(samples, outputs, events, worker)


def _steady(samples: Sequence[Sample], outputs: int, events: int, worker: Tree) -> Measured:
    first, last = _between(samples, STEADY_FROM * outputs), samples[-1]
    share = events * (1 - STEADY_FROM)
    return Measured(
        share / (last.at - first.at),
        (last.worker - first.worker) / share * 1e6,
        (last.database - first.database) / share * 1e6,
        (last.broker - first.broker) / share * 1e6,
        worker.memory("VmHWM"),
        worker.memory("VmRSS"),
        worker.memory("RssAnon"),
    )


def _between(samples: Sequence[Sample], outputs: float) -> Sample:
    """As it was when that many outputs were there, on a straight line between two samples."""
    after = next(at for at, sample in enumerate(samples) if sample.outputs >= outputs)
    if after == 0:
        raise CannotRun("it was done with a fifth of the events before it was looked at: give it more events")
    a, b = samples[after - 1], samples[after]
    part = (outputs - a.outputs) / (b.outputs - a.outputs)
    return Sample(
        a.at + part * (b.at - a.at),
        round(outputs),
        a.worker + part * (b.worker - a.worker),
        a.database + part * (b.database - a.database),
        a.broker + part * (b.broker - a.broker),
    )
