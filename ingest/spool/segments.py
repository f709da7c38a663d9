"""Segments: the bytes of spooled records as a file holds them, and what its name says.

Each record is framed with a mark, its length and a CRC, so that what a crash tore off, and what a disk lost in the
middle, is seen and takes none of the other records along.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from ingest.contract.codec import Headers

MAGIC = b"SHS1"
SUFFIX, ASIDE = ".spool", "aside-"
_MARK = b"\xf5SHF"  # where a record begins, to find the next one behind a damaged one; no UTF-8 text holds it
_FRAME = struct.Struct(">4sII")  # mark, length and CRC-32 of what follows
_HEAD_LENGTH = struct.Struct(">I")
_NAME = re.compile(r"(?:aside-)?(\d{12})\.spool")


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record for Kafka. `topic` is without the prefix; `at` is when it was spooled, in seconds since 1970."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    at: float


def name_of(number: int) -> str:
    return f"{number:012d}{SUFFIX}"


def number_of(name: str) -> int | None:
    """Also of one that was set aside. None: it is nothing of ours."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def frame(record: Spooled) -> bytes:
    """Length, CRC, then: length of a JSON head, the head, key, value. Nothing of the record is escaped."""
    head = orjson.dumps(
        {
            "topic": record.topic,
            "at": record.at,
            "key": len(record.key),
            "headers": [[name, value.decode("latin-1")] for name, value in record.headers],
        }
    )
    body = b"".join((_HEAD_LENGTH.pack(len(head)), head, record.key, record.value))
    return _FRAME.pack(_MARK, len(body), zlib.crc32(body)) + body


def unframe(data: bytes) -> Iterator[Spooled]:
    """The whole records of a segment. What a crash tore off its end was never acknowledged; see `is_damaged`."""
    for start, end in _frames(data):
        body = data[start + _FRAME.size : end]
        (head_length,) = _HEAD_LENGTH.unpack_from(body)
        head = orjson.loads(body[_HEAD_LENGTH.size : _HEAD_LENGTH.size + head_length])
        rest = body[_HEAD_LENGTH.size + head_length :]
        headers = tuple((name, value.encode("latin-1")) for name, value in head["headers"])
        yield Spooled(head["topic"], rest[: head["key"]], rest[head["key"] :], headers, head["at"])


def is_damaged(data: bytes) -> bool:
    """Whether a record in the middle cannot be read: no crash does that, a failing disk does."""
    at = len(MAGIC)
    for start, end in _frames(data):
        if start != at:
            return True
        at = end
    return False


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each whole record begins and ends; behind a damaged one, from the next mark on."""
    at = data.find(_MARK)
    while at >= 0:
        end = _end_of(data, at)
        if end is None:
            at = data.find(_MARK, at + 1)
            continue
        yield at, end
        at = end if data.startswith(_MARK, end) else data.find(_MARK, end)


def _end_of(data: bytes, at: int) -> int | None:
    if at + _FRAME.size > len(data):
        return None
    _, length, crc = _FRAME.unpack_from(data, at)
    if length <= _HEAD_LENGTH.size:  # a power loss leaves zeros behind a mark, and zero is the CRC of nothing
        return None
    end: int = at + _FRAME.size + length
    return end if end <= len(data) and zlib.crc32(data[at + _FRAME.size : end]) == crc else None
