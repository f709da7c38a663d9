"""Numbers of ours over REST: bought, read, listed, configured, moved to a sub-account, released.

https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import NUMBER_BOUGHT, Reply, is_e164, is_url, refusal
from deploy.emulator.forms import Form, Request
from deploy.emulator.lives.numbers import buy, offers
from deploy.emulator.resources import Number
from deploy.emulator.rest import assets
from deploy.emulator.rest.available import matches
from deploy.emulator.rest.finding import Missing, existing
from deploy.emulator.rest.pages import equal, page

KINDS = ("Local", "Mobile", "TollFree")
# An address → the fallback that needs it, and its refusal.
FALLBACKS: Mapping[str, tuple[str, int]] = {
    "VoiceUrl": ("VoiceFallbackUrl", 21405),
    "SmsUrl": ("SmsFallbackUrl", 21406),
}
# In this order, the first that holds is the refusal.
BOUGHT: Sequence[tuple[int, str, Callable[[Form], bool]]] = (
    (20001, "PhoneNumber", lambda form: not (form.get("PhoneNumber") or form.get("AreaCode"))),
    (21421, "PhoneNumber", lambda form: bool(form.get("PhoneNumber")) and not is_e164(form.get("PhoneNumber"))),
    (
        21451,
        "AreaCode",
        lambda form: bool(form.get("AreaCode")) and form.number("AreaCode", -1) not in range(200, 1000),
    ),
)


def create(account: Account, request: Request, now: datetime) -> Reply:
    """Buy a number: this one, or one of an area; of any kind, or of the kind of its path."""
    form = request.form
    kind = _kind(request)
    for code, name, holds in BOUGHT:
        if holds(form):
            return refusal(code, form.get(name) or name)
    wanted = form.get("PhoneNumber")
    if wanted in NUMBER_BOUGHT:
        return refusal(NUMBER_BOUGHT[wanted], wanted)
    for_sale = {each.phone_number: each for each in offers(account)}
    in_area = (each for each in for_sale.values() if each.phone_number.startswith(f"+1{form.get('AreaCode')}"))
    offered = for_sale.get(wanted) if wanted else next(in_area, None)
    if offered is None or kind not in (None, offered.kind):
        return refusal(21422, wanted) if wanted else refusal(21452, form.get("AreaCode"))
    settings = {name: form.get(name) for name in assets.SETTINGS if name in form}
    refused = _unusable(form, settings)
    if refused:
        return refused
    number = buy(account, offered, form.get("FriendlyName"), settings, now)
    show = assets.number_of_kind if kind else assets.number
    return Reply(201, show(account, number))


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    """All, or those of the kind that its path names."""
    query = request.query
    kind = _kind(request)

    def keep(number: Number) -> bool:
        return (
            number.owner == account.sid
            and kind in (None, number.kind)
            and equal(query, "FriendlyName", number.friendly_name)
            and equal(query, "Origin", "twilio")
            and (not query.get("PhoneNumber") or matches(query.get("PhoneNumber"), number.phone_number))
            and (query.flag("Beta", True) or not number.beta)
        )

    show = assets.number_of_kind if kind else assets.number
    return page(account, request, "incoming_phone_numbers", account.numbers.values(), keep, show)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, assets.number(account, _find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    """What is said is set; an empty value unsets."""
    number, form = _find(account, request), request.form
    settings = {**number.settings, **{name: form.get(name) for name in assets.SETTINGS if name in form}}
    refused = _unusable(form, settings)
    if refused:
        return refused
    owner = form.get("AccountSid", number.owner)
    if owner not in (account.sid, *account.subaccounts):
        return refusal(20001, "AccountSid")
    number.owner, number.settings, number.date_updated = owner, settings, now
    number.friendly_name = form.get("FriendlyName", number.friendly_name)
    return Reply(200, assets.number(account, number))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    """Released: it is for sale again."""
    _find(account, request).deleted = True
    return Reply(204)


def _kind(request: Request) -> str | None:
    last = request.last.removesuffix(".json")
    return last if last in KINDS else None


def _unusable(form: Form, settings: Mapping[str, str]) -> Reply | None:
    for name in settings:
        value = form.get(name)
        if value and name.endswith(("Url", "Callback")) and not is_url(value):
            return refusal(21402, value)
        if value and name.endswith("Method") and value.upper() not in ("GET", "POST"):
            return refusal(21403, value)
    for url, (fallback, code) in FALLBACKS.items():
        if settings.get(fallback) and not settings.get(url):
            return refusal(code)
    return None


def _find(account: Account, request: Request) -> Number:
    """While it is ours. Raises Missing."""
    number = existing(account.numbers.get(request.ids[0]))
    if number.owner != account.sid:
        raise Missing
    return number
