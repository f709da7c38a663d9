"""The catalogue: every action in a line, by system. Pure."""

import difflib
from collections.abc import Mapping, Sequence

from processors.contract.actions import MODELS

BULK = "messages.bulk"
BULK_SAYS = "A message for each row of a CSV file; resumable."


def says(action_type: str) -> str:
    """Its first sentence, and whether doing it twice does more than once."""
    if action_type == BULK:
        return BULK_SAYS
    text = " ".join((MODELS[action_type].__doc__ or "").split())
    first = text.partition(". ")[0].rstrip(".")
    return first if MODELS[action_type].is_repeatable else f"{first}. Not repeatable"


def by_system() -> Mapping[str, Sequence[str]]:
    """Action types by what stands before their dot."""
    found: dict[str, list[str]] = {}
    for action_type in sorted({*MODELS, BULK}):
        found.setdefault(action_type.partition(".")[0], []).append(action_type)
    return found


def listing() -> str:
    lines: list[str] = []
    for types in by_system().values():
        lines += ["", *(f"  {action_type:<26} {says(action_type)}" for action_type in types)]
    return "\n".join(lines).lstrip("\n")


def like(word: str) -> str:
    """What was perhaps meant."""
    near = difflib.get_close_matches(word, [*MODELS, BULK], n=3, cutoff=0.5)
    return f"perhaps {' or '.join(near)}" if near else "`act` alone lists them"
