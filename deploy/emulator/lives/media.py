"""The files of a message: one for each media URL, of the type that is told or that its name says.

https://www.twilio.com/docs/messaging/api/media-resource
"""

import mimetypes
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from deploy.emulator.account import Account
from deploy.emulator.resources import Media, Message

UNNAMED = "image/jpeg"  # of a URL that does not say


def attach(account: Account, message: Message, files: Sequence[tuple[str, str]], now: datetime) -> None:
    """`files` are URLs and content types; an empty type is not told."""
    for url, told in files:
        sid, index = account.mint("ME")
        content_type = told or mimetypes.guess_type(urlsplit(url).path)[0] or UNNAMED
        account.media[sid] = Media(sid, index, message.sid, url, content_type, now, now)
