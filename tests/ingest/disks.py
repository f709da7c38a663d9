"""Disks: a twin of the spool's folder that forgets what was not fsynced, fills up, fails, hangs or loses a file."""

import errno
import random
import threading
from collections.abc import Sequence

from ingest.spool.folders import File


class PowerLoss(OSError):
    """Nothing happens after this."""


class Forgetful:
    """A disk that keeps only what was fsynced: content by its file, names by their folder.

    `fuse` is after how many operations the power goes; `failing` operations raise and keep nothing for sure; `space` is
    in bytes; `stuck` lets no fsync end until it is set; `unreadable` are names of files, and where it is
    `stubborn`, nothing can be renamed.
    """

    def __init__(self) -> None:
        self.names_kept: set[str] = set()
        self.names_seen: set[str] = set()
        self.changes: list[tuple[str | None, str | None]] = []  # of names, each from what to what, not fsynced
        self.kept: dict[str, bytes] = {}
        self.seen: dict[str, bytes] = {}
        self.fuse: int | None = None
        self.failing = 0
        self.fault: Exception = OSError(errno.EIO, "a failing disk")
        self.space: int | None = None
        self.stuck: threading.Event | None = None
        self.unreadable: set[str] = set()
        self.stubborn = False
        self.created = 0
        self.syncs = 0  # of files
        self.synced_after_failure: list[str] = []

    @property
    def is_dark(self) -> bool:
        return self.fuse is not None and self.fuse < 0

    def operate(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
        if self.is_dark:
            raise PowerLoss
        if self.failing:
            self.failing -= 1
            raise self.fault

    def after_power_loss(self, chance: random.Random) -> "Forgetful":
        """The disk as it is found again: of what was not fsynced, some may be there, torn anywhere."""
        found = Forgetful()
        names = set(self.names_kept)
        for old, new in self.changes:
            if chance.random() < 0.5 and (old is None or old in names):
                names -= {old or ""}
                names |= {new} if new else set()
        for name in names:
            whole, sure = self.seen.get(name, b""), self.kept.get(name, b"")
            found.seen[name] = found.kept[name] = whole[: chance.randint(len(sure), max(len(sure), len(whole)))]
        found.names_kept, found.names_seen = set(names), set(names)
        return found

    def used(self) -> int:
        return sum(len(self.seen[name]) for name in self.names_seen)

    def put(self, name: str, data: bytes) -> None:
        """As an earlier process has left it."""
        self.seen[name] = self.kept[name] = data
        self.names_seen.add(name)
        self.names_kept.add(name)

    def names(self) -> Sequence[str]:
        return sorted(self.names_seen)

    def create(self, name: str) -> File:
        self.operate()
        self.created += 1
        self.names_seen.add(name)
        self.changes.append((None, name))
        self.seen[name] = self.kept[name] = b""
        return ForgetfulFile(self, name)

    def read(self, name: str, at_most: int = -1) -> bytes:
        if name in self.unreadable:
            raise OSError(errno.EIO, "cannot be read")
        if name not in self.names_seen:
            raise FileNotFoundError(errno.ENOENT, name)
        return self.seen[name][: at_most if at_most >= 0 else None]

    def size(self, name: str) -> int:
        return len(self.seen[name])

    def rename(self, old: str, new: str) -> None:
        self.operate()
        if self.stubborn:
            raise OSError(errno.EROFS, "read-only")
        if old not in self.names_seen:
            raise FileNotFoundError(errno.ENOENT, old)
        self.names_seen = self.names_seen - {old} | {new}
        self.changes.append((old, new))
        self.seen[new], self.kept[new] = self.seen[old], self.kept[old]

    def remove(self, name: str) -> None:
        self.operate()
        self.names_seen.discard(name)
        self.changes.append((name, None))

    def sync_names(self) -> None:
        self.operate()
        self.names_kept, self.changes = set(self.names_seen), []


class ForgetfulFile:
    def __init__(self, disk: Forgetful, name: str) -> None:
        self.disk, self.name, self.failed = disk, name, False

    def write(self, data: bytes) -> None:
        disk = self.disk
        room = len(data) if disk.space is None else max(0, disk.space - disk.used())
        half = min(len(data) // 2, room)
        disk.seen[self.name] += data[:half]
        self.operate()
        disk.seen[self.name] += data[half:room]
        if room < len(data):
            raise OSError(errno.ENOSPC, "no space left")

    def sync(self) -> None:
        self.disk.syncs += 1
        if self.disk.stuck is not None:
            self.disk.stuck.wait(20)
        self.operate()
        self.disk.kept[self.name] = self.disk.seen[self.name]

    def close(self) -> None:
        pass

    def operate(self) -> None:
        if self.failed:
            self.disk.synced_after_failure.append(self.name)
        try:
            self.disk.operate()
        except Exception:
            self.failed = True
            raise
