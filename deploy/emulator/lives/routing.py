"""Where what people send to a number of ours goes: to the number's own URLs, and elsewhere where it has none.

A number's application counts before its URL, and a URL's fallback belongs to it
(https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource).
"""

from deploy.emulator.account import Account
from deploy.emulator.resources import Number, Target


def texted(account: Account, to: str, otherwise: Target | None) -> Target | None:
    """Who is told of a message to a number."""
    return _own(account, to, "Sms") or otherwise


def called(account: Account, to: str, otherwise: Target | None) -> Target | None:
    """Who is asked what to do with a call to a number."""
    number = _number(account, to)
    application = number and account.applications.get(number.settings.get("VoiceApplicationSid", ""))
    return application or _own(account, to, "Voice") or otherwise


def followed(account: Account, to: str, otherwise: Target | None) -> Target | None:
    """Who hears of the end of a call to a number."""
    number = _number(account, to)
    return (number and _target(number, "StatusCallback", "StatusCallbackMethod")) or otherwise


def _own(account: Account, to: str, kind: str) -> Target | None:
    number = _number(account, to)
    target = number and _target(number, f"{kind}Url", f"{kind}Method")
    if not number or not target:
        return None
    return target._replace(fallback=_target(number, f"{kind}FallbackUrl", f"{kind}FallbackMethod"))


def _target(number: Number, url: str, method: str) -> Target | None:
    said = number.settings.get(url)
    return Target(said, (number.settings.get(method) or "POST").upper()) if said else None


def _number(account: Account, phone_number: str) -> Number | None:
    """While it is ours, and not a sub-account's."""
    ours = (each for each in account.numbers.values() if not each.deleted and each.owner == account.sid)
    return next((each for each in ours if each.phone_number == phone_number), None)
