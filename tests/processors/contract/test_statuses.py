"""The tables of statuses agree with each other: what may be said first, what next, and where it ends."""

from collections.abc import Sequence
from typing import get_args

import pytest

from processors.contract.changes import Kind
from processors.contract.statuses import FIRST, NEXT, RANKS, TERMINAL

KINDS: Sequence[Kind] = get_args(Kind)


def reached(kind: Kind) -> set[str]:
    """All that some life comes to that begins where one may begin."""
    found, ways = set[str](), [*FIRST[kind]]
    while ways:
        if (name := ways.pop()) not in found:
            found.add(name)
            ways += NEXT[kind].get(name, ())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_status_is_on_a_way_from_a_beginning(kind: Kind) -> None:
    assert NEXT[kind].keys() <= reached(kind)
    assert reached(kind) == RANKS[kind].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_beginning_goes_on_or_is_an_end(kind: Kind) -> None:
    assert set(FIRST[kind]) <= NEXT[kind].keys() | TERMINAL[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_may_follow_it_ends(kind: Kind) -> None:
    assert RANKS[kind].keys() - NEXT[kind].keys() <= TERMINAL[kind]
