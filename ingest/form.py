"""Forms: a body or query, decoded strictly. A value that is not UTF-8 is an unreadable request, not a guess."""

from urllib.parse import parse_qsl

MAX_FIELDS = 1000


class Unreadable(ValueError):
    """The caller's: the bytes are not a form."""


def read_form(raw: bytes) -> list[tuple[str, str]]:
    """Names and values in order, blank ones kept: the signature covers them. Raises Unreadable."""
    try:
        return parse_qsl(
            raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, separator="&"
        )
    except ValueError as error:
        raise Unreadable(type(error).__name__) from None


def is_form(content_type: str) -> bool:
    """Whether a content type is a form in UTF-8, which is what the provider sends."""
    kind, _, rest = content_type.partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    return kind.strip().lower() == "application/x-www-form-urlencoded" and charset in ("", "utf-8")
