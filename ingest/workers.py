"""Workers: several front doors on one port, each a process of its own with its own spool; the kernel shares out calls.

One that dies is started again. https://man7.org/linux/man-pages/man7/socket.7.html, SO_REUSEPORT
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

import structlog

CANNOT_START = 2
"""The exit code of a worker that says why it cannot start, and would say it again."""

_RESTART_SECONDS, _LOOK_SECONDS = 1.0, 0.2


def supervise(count: int, grace: float) -> int:
    """Until SIGTERM or SIGINT, which the workers get too; 0 when all ended by themselves within `grace` seconds, and
    CANNOT_START as soon as one of them says so."""
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    workers = {number: _start(number) for number in range(count)}
    again = dict.fromkeys(workers, 0.0)
    while not stopping:
        for number, process in workers.items():
            if process.poll() == CANNOT_START:
                _end(list(workers.values()), grace)
                return CANNOT_START
            if process.poll() is not None and time.monotonic() >= again[number]:
                structlog.get_logger("ingest").error("worker_died", worker=number, code=process.returncode)
                again[number] = time.monotonic() + _RESTART_SECONDS
                workers[number] = _start(number)
        time.sleep(_LOOK_SECONDS)
    return _end(list(workers.values()), grace)


def _start(number: int) -> "subprocess.Popen[bytes]":
    # A group of its own: a Ctrl-C in the terminal reaches it through the supervisor only, once.
    command = [sys.executable, "-m", "ingest", "serve", "--worker", str(number), "--supervisor", str(os.getpid())]
    return subprocess.Popen(command, process_group=0)  # noqa: S603  # our own interpreter and module


def _end(workers: list["subprocess.Popen[bytes]"], grace: float) -> int:
    for process in workers:
        process.terminate()
    deadline = time.monotonic() + grace
    codes = []
    for process in workers:
        try:
            codes.append(process.wait(max(0.0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            process.kill()
            codes.append(process.wait())
    # uvicorn ends in order and then dies of the signal that it got, as a shell expects.
    return 0 if set(codes) <= {0, -signal.SIGTERM} else 1
