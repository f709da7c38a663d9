"""A person's number: how it is read, found in a text, and shown."""

import re

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


def read_number(text: str) -> str:
    """Without what people write between digits. Raises ValueError; its text holds no number."""
    number = re.sub(r"[\s().-]", "", text)
    if not _NUMBER.fullmatch(number):
        raise ValueError("this is no number as the provider writes it: a plus sign, the country's code, and the rest")
    return number


def occurrence(number: str) -> re.Pattern[str]:
    """The number within a text, and not a longer one that begins or ends like it."""
    return re.compile(rf"(?<![0-9]){re.escape(number)}(?![0-9])")


def masked(address: str) -> str:
    """`…` and the last four digits; of what is too short for that, or no number, nothing but the dots."""
    return f"…{address[-4:]}" if len(address) >= 8 and address[-4:].isdigit() else "…"
