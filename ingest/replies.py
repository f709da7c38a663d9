"""Replies: the TwiML for who waits for instructions, from templates by route. Silence unless configured.

A template is a TwiML document in which `{From}` stands for a parameter of the request, escaped; `{{` is a brace. Who
has just opted out gets silence whatever the templates say. https://www.twilio.com/docs/messaging/twiml,
https://www.twilio.com/docs/voice/twiml
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from xml.etree import ElementTree
from xml.sax.saxutils import escape

EMPTY = "<Response/>"
CONTENT_TYPE = b"text/xml; charset=utf-8"
MAX_BYTES = 64_000
"""What the provider reads, error 11750."""

_QUOTES = {'"': "&quot;", "'": "&apos;"}
_OPT_OUT = "OptOutType"


class InvalidTemplate(ValueError):
    """The template is not a TwiML document."""


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts, each with the parameter that follows it, None after the last."""

    pieces: Sequence[tuple[str, str | None]]

    @classmethod
    def read(cls, text: str) -> "Template":
        """Raises InvalidTemplate with what is wrong."""
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise InvalidTemplate(f"{error}; a brace that is meant is written twice") from None
        if any(name is not None and (not name.isidentifier() or spec or how) for _, name, spec, how in parts):
            raise InvalidTemplate("between braces stands the name of a parameter, as in {From}, and nothing else")
        template = cls([(literal, name) for literal, name, _, _ in parts])
        _check(template.filled({}))
        return template

    def filled(self, values: Mapping[str, str]) -> str:
        """The document, parameters that the request does not have left empty."""
        return "".join(
            literal + (escape(_printable(values.get(name, "")), _QUOTES) if name else "")
            for literal, name in self.pieces
        )


@dataclass(frozen=True, slots=True)
class RouteReplies:
    """What one route answers: by the first word-for-word keyword of a message's body, else the default."""

    default: Template
    keywords: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class Replies:
    routes: Mapping[str, RouteReplies]

    def reply(self, route: str, parameters: Sequence[tuple[str, str]], *, is_readable: bool) -> bytes:
        """TwiML for one request; `is_readable` says that we know what it is about."""
        configured = self.routes.get(route)
        if configured is None or not is_readable:
            return EMPTY.encode()
        values = {name: value for name, value in reversed(parameters) if value}
        if _OPT_OUT in values:
            return EMPTY.encode()
        keyword = values.get("Body", "").strip().upper()
        made = configured.keywords.get(keyword, configured.default).filled(values).encode()
        return made if len(made) <= MAX_BYTES else EMPTY.encode()


SILENCE = Replies({})


def _check(document: str) -> None:
    if len(document.encode()) > MAX_BYTES:
        raise InvalidTemplate(f"longer than the provider reads ({MAX_BYTES} bytes)")
    try:
        root = ElementTree.fromstring(document)  # noqa: S314  # the operator's own file, not a stranger's
    except ElementTree.ParseError as error:
        raise InvalidTemplate(f"not XML: {error}") from None
    if root.tag != "Response":
        raise InvalidTemplate("its root is not <Response>")


def _printable(value: str) -> str:
    """Without what XML 1.0 cannot hold, escaped or not: https://www.w3.org/TR/xml/#charsets"""
    return "".join(
        c
        for c in value
        if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe") or c >= "\U00010000"
    )
