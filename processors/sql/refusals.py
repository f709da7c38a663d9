"""What keeps a worker from its database, told in a line that says what to do, and without a secret.

What the server says of itself: https://www.postgresql.org/docs/15/errcodes-appendix.html, and of a file:
https://www.sqlite.org/rescode.html. Their own messages can hold addresses and values, and so are left out.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import IO, TypeVar

from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from processors.sql.connecting import AlreadyInUse, hold

_WRONG_LOGIN = "it does not let this user in: correct user or password in {setting}, or what the server allows it"
_REFUSALS: Mapping[str, str] = {
    "28P01": _WRONG_LOGIN,
    "28000": _WRONG_LOGIN,
    "3D000": "there is no such database: create it, or correct {setting}",
    "42501": "this user may not make tables there: make it the database's owner, or grant it CREATE on the schema",
    "53300": "it has no connection left: raise its max_connections, or end some of those that it has",
    "57P03": "it is starting or shutting down: start this again once it takes connections",
    "SQLITE_NOTADB": "it is no SQLite database: name another file in {setting}",
    "SQLITE_BUSY": "somebody else is writing to it: end that, and start this again",
    "SQLITE_READONLY": "it may not be written to: let this user write to the file and to its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: let this user write to the file and to its folder",
    "SQLITE_FULL": "its disk is full: make room, and start this again",
}
"""By SQLSTATE, or SQLite's name of the error. `setting` is the one with the URL."""

_NEWER = "its tables are of a newer version than this one: run that version, or name a database of this one's own"


class CannotOpen(Exception):
    """Why, and what to do; for a person to read."""


T = TypeVar("T")


def claim(url: str, setting: str) -> IO[str] | None:
    """`hold`, with every failure told; `setting` is what has the URL. Raises CannotOpen."""
    try:
        return hold(url)
    except AlreadyInUse as error:
        raise CannotOpen(str(error)) from None
    except OSError as error:
        raise _out_of_reach(url, setting, error) from None


async def opened(url: str, setting: str, opening: Callable[[str], Awaitable[T]]) -> T:
    """What `opening` makes of the URL; it migrates, and so is the first to meet the database. Raises CannotOpen."""
    try:
        return await opening(url)
    except (OSError, TimeoutError) as error:
        raise _out_of_reach(url, setting, error) from None
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        raise CannotOpen(f"{_place(url)}: {_NEWER}") from None
    except DBAPIError as error:
        code = _code(error)
        said = _REFUSALS.get(code, "it refuses with {code}, which its manual explains")
        raise CannotOpen(f"{_place(url)}: {said.format(setting=setting, code=code)}") from None


def _code(error: DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return str(state or type(error.orig).__name__)


def _out_of_reach(url: str, setting: str, error: Exception) -> CannotOpen:
    said = type(error).__name__
    if _is_file(make_url(url)):
        return CannotOpen(
            f"{_place(url)}: no file can be made there ({said}): name one that this user may write to in {setting}"
        )
    return CannotOpen(f"{_place(url)}: it cannot be reached ({said}): start PostgreSQL, or correct {setting}")


def _place(url: str) -> str:
    """The file; or server, database and user, and nothing else of the URL."""
    made = make_url(url)
    if _is_file(made):
        return str(made.database)
    return f"database {made.database} of user {made.username} at {made.host}:{made.port or 5432}"


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"
