"""TwiML, read: a document becomes the verbs of its Response. Pure; the one parser of voice and messaging.

A text is said or sent, a sound is played; what does not tell its type is taken for TwiML
(http://www.twilio.com/docs/api/twiml/your_response).

https://www.twilio.com/docs/voice/twiml and https://www.twilio.com/docs/messaging/twiml.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin
from xml.etree import ElementTree

from deploy.emulator.account import Answer
from deploy.emulator.forms import Form

LONGEST = 64 * 1024
DEEPEST = 16  # verbs hold nouns, and Say holds SSML; nothing sensible is nested deeper
TOO_LONG, EMPTY, UNREADABLE, WRONG_TYPE = 11750, 11770, 12100, 12300
TYPES = ("", "text/xml", "application/xml", "text/html")
ADDRESSES = ("action", "url", "callback")  # how the names of attributes end that hold a URL


class BadTwiml(ValueError):
    """A document that cannot be performed; `code` is the provider's."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


@dataclass(frozen=True)
class Verb:
    """A verb or a noun: its name, its words, its attributes as written, and what it holds."""

    name: str
    text: str = ""
    attributes: Mapping[str, str] | None = None
    nouns: "tuple[Verb, ...]" = ()

    def get(self, name: str, default: str = "") -> str:
        return (self.attributes or {}).get(name, default)

    def named(self, *names: str) -> "list[Verb]":
        return [each for each in self.nouns if each.name in names]

    def form(self, base: str, prefix: str = "") -> Form:
        """Its attributes as REST would name them (`statusCallback` → `StatusCallback`), URLs below `base`."""
        return Form(urlencode(list(_parameters(self.attributes or {}, base, prefix))))


def _parameters(attributes: Mapping[str, str], base: str, prefix: str) -> Iterable[tuple[str, str]]:
    for name, value in attributes.items():
        absolute = name.lower().endswith(ADDRESSES) and bool(value)
        yield prefix + name[:1].upper() + name[1:], urljoin(base, value) if absolute else value


def spoken_to(answer: Answer, url: str) -> tuple[Verb, ...]:
    """What a call performs when `url` has answered so. Raises BadTwiml."""
    kind = _type(answer)
    if kind.startswith("audio/"):
        return (Verb("Play", url),)
    return (Verb("Say", answer.body),) if kind == "text/plain" and answer.body else _typed(answer, kind)


def written_to(answer: Answer) -> tuple[Verb, ...]:
    """What becomes of an answer to a message. Raises BadTwiml."""
    kind = _type(answer)
    return (Verb("Message", answer.body),) if kind == "text/plain" and answer.body else _typed(answer, kind)


def _type(answer: Answer) -> str:
    return answer.content_type.partition(";")[0].strip().lower()


def _typed(answer: Answer, kind: str) -> tuple[Verb, ...]:
    if kind not in TYPES and answer.body:
        raise BadTwiml(WRONG_TYPE)
    return parse(answer.body)


def parse(document: str) -> tuple[Verb, ...]:
    """The verbs of a document, in order. Raises BadTwiml."""
    text = document.strip()
    if len(text.encode()) > LONGEST:
        raise BadTwiml(TOO_LONG)
    if not text:
        raise BadTwiml(EMPTY)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # neither belongs in TwiML
        raise BadTwiml(UNREADABLE)
    try:
        root = ElementTree.fromstring(text.encode())  # noqa: S314 no entities: refused above
    except ElementTree.ParseError:
        raise BadTwiml(UNREADABLE) from None
    if root.tag != "Response":
        raise BadTwiml(UNREADABLE)
    return tuple(_verb(each, 1) for each in root)


def _verb(element: ElementTree.Element, depth: int) -> Verb:
    if depth > DEEPEST:
        raise BadTwiml(UNREADABLE)
    nouns = tuple(_verb(each, depth + 1) for each in element)
    return Verb(element.tag, (element.text or "").strip(), dict(element.attrib), nouns)
