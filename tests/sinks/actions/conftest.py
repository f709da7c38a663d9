"""The emulated account that the tests of this folder act on."""

from collections.abc import Mapping

import pytest

from tests.sinks.actions.emulated import Emulated, emulated


@pytest.fixture
async def fresh() -> Emulated:
    """One to change."""
    return await emulated()


@pytest.fixture(scope="module")
def once() -> list[Emulated]:
    return []


@pytest.fixture
async def standing(once: list[Emulated]) -> Emulated:
    """One for all tests of a module, which leave it as it is."""
    if not once:
        once.append(await emulated())
    return Emulated(once[0].world)


def everything(at: Emulated) -> Mapping[str, str]:
    """All that there is, to compare with later."""
    return {name: repr(value) for name, value in vars(at.account).items()}
