"""Replies: the TwiML that answers an inbound message. One static template; silence unless configured.

https://www.twilio.com/docs/messaging/twiml. Who has just opted out gets silence whatever the template says.
"""

from xml.etree import ElementTree

EMPTY = "<Response/>"
CONTENT_TYPE = b"text/xml; charset=utf-8"
MAX_BYTES = 64_000


class InvalidTemplate(ValueError):
    """The template is not a TwiML document."""


def check(template: str) -> str:
    """The template, if it is a document the provider can read. Raises InvalidTemplate with what is wrong."""
    if len(template.encode()) > MAX_BYTES:
        raise InvalidTemplate(f"longer than the provider reads ({MAX_BYTES} bytes)")
    try:
        root = ElementTree.fromstring(template)  # noqa: S314  # the operator's own file, not a stranger's
    except ElementTree.ParseError as error:
        raise InvalidTemplate(f"not XML: {error}") from None
    if root.tag != "Response":
        raise InvalidTemplate("its root is not <Response>")
    return template


def reply(template: str, *, opted_out: bool) -> bytes:
    return (EMPTY if opted_out else template).encode()
