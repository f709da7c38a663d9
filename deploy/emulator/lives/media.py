"""The files of a message: one for each media URL, of the type that is told or that its name says.

The provider keeps them, and so does this: what is downloaded are bytes that the SID of the file draws, which are no
picture. https://www.twilio.com/docs/messaging/api/media-resource
"""

import functools
import hashlib
import mimetypes
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from deploy.emulator.account import Account
from deploy.emulator.errors import File
from deploy.emulator.resources import Media, Message

UNNAMED = "image/jpeg"  # of a URL that does not say
SMALLEST, LARGEST = 20_000, 1_000_000  # bytes
BLOCK = hashlib.sha256().digest_size


def attach(account: Account, message: Message, files: Sequence[tuple[str, str]], now: datetime) -> list[Media]:
    """`files` are URLs, where they come from one, and content types; an empty type is not told."""
    made = []
    for url, told in files:
        sid, index = account.mint("ME")
        content_type = told or mimetypes.guess_type(urlsplit(url).path)[0] or UNNAMED
        account.media[sid] = Media(sid, index, message.sid, url, content_type, now, now)
        made.append(account.media[sid])
    return made


def contents(media: Media) -> File:
    length = SMALLEST + int(media.sid[2:10], 16) % (LARGEST - SMALLEST)
    return File(media.sid, media.content_type, length, functools.partial(_part, media.sid))


def _part(sid: str, start: int, end: int) -> bytes:
    first = start // BLOCK
    blocks = (hashlib.sha256(f"{sid}/{at}".encode()).digest() for at in range(first, -(-end // BLOCK)))
    return b"".join(blocks)[start - first * BLOCK : end - first * BLOCK]
