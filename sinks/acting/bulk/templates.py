"""Templates: text with columns in braces, which stand for their cells and for nothing else. Pure."""

import string
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class InvalidTemplate(ValueError):
    """The text is no template; says why."""


class Template(NamedTuple):
    """Texts, each with the column that follows it, if one does."""

    parts: Sequence[tuple[str, str | None]]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(column for _, column in self.parts if column is not None)

    def filled(self, cells: Mapping[str, str]) -> str:
        return "".join(text + (cells[column] if column is not None else "") for text, column in self.parts)


def template(text: str) -> Template:
    """Raises InvalidTemplate."""
    parts: list[tuple[str, str | None]] = []
    try:
        for literal, column, spec, conversion in string.Formatter().parse(text):
            if column is not None and (not column.strip() or spec or conversion):
                raise InvalidTemplate("braces hold the name of a column, as in {name}, and no more")
            parts.append((literal, column and column.strip()))
    except InvalidTemplate:
        raise
    except ValueError as error:
        raise InvalidTemplate(f"{str(error).lower()}; a brace that is meant is written twice") from None
    return Template(parts)
