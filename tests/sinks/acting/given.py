"""What the tests of `act` ask, and for whom."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from processors.contract.actions import Action
from sinks.acting.options import Kind, options
from sinks.acting.reading import Whom, read

ACCOUNT, OTHER = "AC" + "1" * 32, "AC" + "2" * 32
OURS, THEIRS, SECRET = "+15005550006", "+12025550100", "the code is 1234"
WHOM = Whom({ACCOUNT: ACCOUNT, "main": ACCOUNT, OTHER: OTHER}, ACCOUNT, b"0123456789abcdef")


def text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def asked(*words: str, whom: Whom = WHOM) -> Action:
    return read(words, whom, "new-id", text_of)[0]


def spelled(action_type: str, document: Mapping[str, Any]) -> Sequence[str]:
    """The words that say the same as the record."""
    kinds = {option.field: option for option in options(action_type)}
    words = [action_type]
    for field, value in document.items():
        if field not in kinds:
            continue  # it has one value
        flag = kinds[field].flags[-1]
        match kinds[field].kind:
            case Kind.SWITCH:
                words.append(flag if value else f"--no-{flag.removeprefix('--')}")
            case Kind.MANY:
                words += [f"{flag}={each}" for each in value]
            case Kind.PAIRS:
                words += [f"{flag}={name}={each}" for name, each in value.items()]
            case _:
                words.append(f"{flag}={value}")
    return words
