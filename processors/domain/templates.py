"""Templates: text with names of attributes in braces. A name stands for its text, spelled as its place needs it.

In TwiML it is escaped, and in a part of a URL quoted: what a person wrote must not become a verb or a parameter.
"""

import re
import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

_QUOTES = {'"': "&quot;", "'": "&apos;"}
_NAME = re.compile(r"[a-z_]+")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold, escaped or not: https://www.w3.org/TR/xml/#charsets"""


class InvalidTemplate(ValueError):
    """The text is no template."""


def texts(value: object) -> Iterator[str]:
    """Every text within a value of an effect."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)


def names(template: str) -> frozenset[str]:
    """The attributes that it names. No formats, no looking into values. Raises InvalidTemplate."""
    found = set[str]()
    try:
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is None:
                continue
            if not _NAME.fullmatch(name) or spec or conversion:
                raise InvalidTemplate(f"in {template!r} braces hold more than the name of an attribute, as in {{from}}")
            found.add(name)
    except InvalidTemplate:
        raise
    except ValueError as error:
        said = str(error).lower()
        raise InvalidTemplate(f"in {template!r}: {said}; a brace that is meant is written twice") from None
    return frozenset(found)


def filled(field: str, value: Any, values: Mapping[str, str]) -> Any:
    """The value of the action's `field`, its templates filled in."""
    if isinstance(value, str):
        spell = _spelling(field, value)
        return value.format_map({name: spell(text) for name, text in values.items()} if spell else values)
    if isinstance(value, Mapping):
        return {name: filled(field, each, values) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [filled(field, each, values) for each in value]
    return value


def _spelling(field: str, template: str) -> Callable[[str], str] | None:
    if field == "twiml":
        return _escaped
    if field not in ("url", "status_callback") and not field.endswith("_url"):
        return None
    # A template that is one name stands for a whole URL, such as a recording's.
    return None if re.fullmatch(r"\{[a-z_]+\}", template) else _quoted


def _escaped(text: str) -> str:
    return escape(_UNPRINTABLE.sub("", text), _QUOTES)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
