"""Error classes: whose problem a message error code is. Data, because the provider changes the causes of codes.

Source: https://www.twilio.com/docs/api/errors; classes are ours, and are metric labels.
"""

from collections.abc import Mapping

CLASS_OF: Mapping[int, str] = {
    30001: "rate",
    30002: "account",
    30003: "handset",
    30004: "handset",
    30005: "handset",
    30006: "carrier",
    30007: "content",
    30008: "carrier",
    30010: "account",
    30011: "content",
    30017: "carrier",
    30018: "sender",
    30019: "content",
    30020: "account",
    30022: "rate",
    30023: "rate",
    30024: "sender",
    30027: "rate",
    30032: "sender",
    30033: "sender",
    30034: "sender",
    30035: "sender",
    30410: "carrier",
    30450: "carrier",
    63016: "content",
    63018: "rate",
    63024: "handset",
    63032: "content",
    21610: "handset",
    21611: "rate",
    21211: "handset",
    21614: "handset",
    21612: "carrier",
    21606: "sender",
    21608: "account",
    21703: "sender",
    21704: "sender",
}

CLASSES = ("carrier", "handset", "content", "sender", "rate", "account", "other")


def error_class(code: int) -> str:
    return CLASS_OF.get(code, "other")
