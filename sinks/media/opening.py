"""Opening: the store that a setting names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from sinks.media.folder import Folder
from sinks.media.objects import Objects
from sinks.media.store import Store

SCHEMES = ("s3", "gs", "az")


def open_store(place: str) -> Store:
    """`place` is a folder's path, a `file://` URL or that of an object store, `s3://BUCKET/PREFIX`, whose credentials,
    region and endpoint come from the environment as its own tools read it (`AWS_…`, `GOOGLE_…`, `AZURE_…`).

    Raises ValueError, which says what is wrong, for what can never be one. Makes no folder and asks nobody.
    """
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        return Folder(_folder(place if not parts.scheme else unquote(parts.path)))
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError("is no store of media; one is /a/folder, " + " or ".join(f"{s}://BUCKET" for s in SCHEMES))
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no user, password, query or fragment: credentials come from the environment")
    try:
        store = from_url(place)
    except (BaseError, ValueError) as error:
        raise ValueError(f"cannot be used as a store of media ({type(error).__name__})") from None
    assert not isinstance(store, LocalStore | MemoryStore)
    return Objects(store)


def _folder(path: str) -> Path:
    folder = Path(path)
    if not path or not folder.is_absolute():
        raise ValueError("a folder needs its whole path, from / on")
    if folder.exists() and not folder.is_dir():
        raise ValueError("is no folder")
    return folder
