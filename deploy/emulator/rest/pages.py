"""Lists, newest first, in pages whose links are relative and whose tokens survive new resources.

A token names the last resource shown, so what is created between two pages moves nothing. It holds no dot:
the Go SDK removes `.` with the digits after it from a query.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from deploy.emulator.account import Account
from deploy.emulator.errors import Json, Reply
from deploy.emulator.forms import Form, Request

PAGING = ("Page", "PageSize", "PageToken")
LARGEST = 1000


class Listed(Protocol):
    """What a list shows: the n-th of its kind, unless deleted."""

    @property
    def index(self) -> int: ...

    @property
    def deleted(self) -> bool: ...


R = TypeVar("R", bound=Listed)


def page(
    account: Account,
    request: Request,
    key: str,
    resources: Iterable[R],
    keep: Callable[[R], bool],
    show: Callable[[Account, R], Json],
    *,
    deleted: bool = False,
) -> Reply:
    """One page of those of `resources` that are kept and, unless `deleted` says so, not deleted."""
    query = request.query
    size = min(max(query.number("PageSize", 50), 1), LARGEST)
    number = query.number("Page", 0)
    before = _index(query.get("PageToken"))
    found = [each for each in resources if (deleted or not each.deleted) and keep(each)]
    found.sort(key=lambda each: -each.index)
    left = [each for each in found if each.index < before] if before else found[number * size :]
    shown, more = left[:size], len(left) > size

    def link(at: int, token: str | None = None) -> str:
        asked: list[tuple[str, str]] = [
            (name, value) for name, values in query.values.items() for value in values if name not in PAGING
        ]
        where: list[tuple[str, str]] = [("PageSize", str(size)), ("Page", str(at))]
        if token:
            where.append(("PageToken", token))
        return f"{request.path}?{urlencode([*asked, *where])}"

    return Reply(
        200,
        {
            key: [show(account, each) for each in shown],
            "end": number * size + max(len(shown) - 1, 0),
            "first_page_uri": link(0),
            "next_page_uri": link(number + 1, f"PA{shown[-1].index}") if more else None,
            "page": number,
            "page_size": size,
            "previous_page_uri": link(number - 1) if number else None,
            "start": number * size,
            "uri": link(number, query.get("PageToken") or None),
        },
    )


def _index(token: str) -> int | None:
    digits = token.removeprefix("PA")
    return int(digits) if digits.isascii() and digits.isdigit() else None


def equal(query: Form, name: str, value: str | None) -> bool:
    """Whether an optional filter is absent or says `value`."""
    return not query.get(name) or query.get(name) == value
