"""Explaining: why the signature of a captured request does not match. Pure."""

from ingest.explain.captured import Captured, Uncaptured, Unread, read
from ingest.explain.explanation import Explanation, account_sid, base_of, explain, unread
from ingest.explain.hints import MEANING, Hint

__all__ = [
    "MEANING",
    "Captured",
    "Explanation",
    "Hint",
    "Uncaptured",
    "Unread",
    "account_sid",
    "base_of",
    "explain",
    "read",
    "unread",
]
