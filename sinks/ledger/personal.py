"""What of an action is about a person, and what is left of it once the person is forgotten: that it was asked for.

Its id stays known, so that nobody performs it again. Pure.
"""

from typing import Literal, cast

import orjson

from processors.contract.actions import ACTIONS, Action, ActionBase
from processors.contract.phone import occurrence


class Forgotten(ActionBase):
    """What is left of an action."""

    type: str
    forgotten: Literal[True] = True


def written(action: Action) -> str:
    """As the ledger keeps it."""
    return action.model_dump_json(by_alias=True, exclude_none=True)


def read(stored: str) -> Action:
    """What `written` has written. Of a forgotten one only what every action says is there."""
    if '"forgotten":true' in stored and orjson.loads(stored).get("forgotten") is True:
        return cast(Action, Forgotten.model_validate_json(stored))
    return ACTIONS.validate_json(stored)


def is_about(number: str, *texts: str | None) -> bool:
    """Whether the number occurs in one of them, as an address or within a text."""
    pattern = occurrence(number)
    return any(text is not None and pattern.search(text) for text in texts)


def forgotten(action: Action) -> Action:
    """The ordering key goes too: another producer may have made it of a number."""
    left = Forgotten(
        id=action.id, account_sid=action.account_sid, ordering_key=action.id, type=action.type, rule=action.rule
    )
    return cast(Action, left)
