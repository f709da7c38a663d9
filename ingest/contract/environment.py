"""Settings from the environment, the same for every stage: all mistakes are told at once, each with what to do.

A message names a variable and what is wrong with it; never a value, which may be a secret.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

Model = TypeVar("Model", bound=BaseSettings)


class InvalidSettings(Exception):
    """`mistakes` is a line each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)

    def told(self, who: str) -> str:
        """What a person reads on standard error: `who` cannot start, and every reason."""
        return "\n".join([f"{who} cannot start:", *(f"  - {mistake}" for mistake in self.mistakes)])


def read(model: type[Model], mistakes: list[str], *, siblings: Sequence[type[BaseSettings]] = ()) -> Model | None:
    """The settings, or None with its mistakes added: what is missing, invalid, or not a setting at all.

    `siblings` are models of the same prefix that other commands of the stage read.
    """
    prefix = str(model.model_config.get("env_prefix", ""))
    family: Sequence[type[BaseSettings]] = (model, *siblings)
    known = {_variable(each, name) for each in family for name in each.model_fields}
    given = {name.upper() for name in os.environ if name.upper().startswith(prefix)}
    mistakes += [f"{name}: there is no such setting; remove it or correct its name" for name in sorted(given - known)]
    try:
        return model()
    except ValidationError as error:
        mistakes += [_told(model, e) for e in error.errors(include_input=False, include_url=False)]
        return None


def _told(model: type[BaseSettings], error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else "…"
    said = "not set; it is required" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    field = model.model_fields.get(name)
    means = f" ({field.description})" if field is not None and field.description else ""
    return f"{_variable(model, name)}: {said}{means}"


def _variable(model: type[BaseSettings], name: str) -> str:
    field = model.model_fields.get(name)
    alias = field.validation_alias if field else name if name.isupper() else None
    return alias if isinstance(alias, str) else f"{model.model_config.get('env_prefix', '')}{name}".upper()
