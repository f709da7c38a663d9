"""Error classes: whose problem a message error code is. Data, because the provider changes the causes of codes.

Source: https://www.twilio.com/docs/api/errors, whose page of a code is `…/errors/30003`; the classes are ours, and are
metric labels. What is in no class here is `other`.
"""

from collections.abc import Mapping

CODES: Mapping[str, tuple[int, ...]] = {
    # The carrier did not take it, or lost it: congested, unreachable, blocked for a while, or it does not say why.
    "carrier": (30006, 30008, 30017, 30410, 30450, 21612),
    # The phone, or whoever holds it: switched off, unknown, no mobile, blocked, not on the channel.
    "handset": (30003, 30004, 30005, 21614, 21211, 63024),
    # Whoever holds it has said STOP, and until they say START nothing may be sent again.
    "opted_out": (21610,),
    # What was to be sent: filtered, too large, of a kind that is not supported, without the template that is needed.
    "content": (30007, 30009, 30011, 30019, 63016, 63032),
    # Who was to send it: not registered, not verified, not ours, no sender in the service.
    "sender": (30018, 30024, 30032, 30033, 30034, 30035, 21606, 21703, 21704),
    # Too much at once or in a day.
    "rate": (30001, 30022, 30023, 30025, 30026, 30027, 30031, 21611, 63018),
    # The account: suspended, on trial, over its price, not allowed to schedule.
    "account": (30002, 30010, 30020, 30028, 30029, 30030, 21608),
}

CLASSES = (*CODES, "other")

CLASS_OF: Mapping[int, str] = {code: name for name, codes in CODES.items() for code in codes}


def error_class(code: int) -> str:
    return CLASS_OF.get(code, "other")
