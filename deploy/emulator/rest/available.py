"""Numbers for sale: by country and kind, and by every filter that the provider has.

https://www.twilio.com/docs/phone-numbers/api/availablephonenumberlocal-resource
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Form, Request
from deploy.emulator.lives.inventory import COUNTRIES, Available, for_sale
from deploy.emulator.lives.numbers import taken
from deploy.emulator.rest import assets
from deploy.emulator.rest.finding import Missing
from deploy.emulator.rest.pages import equal, page

KINDS = ("Local", "TollFree", "Mobile", "National", "Voip", "SharedCost", "MachineToMachine")
NORTH_AMERICA = ("US", "CA")
WITHIN_MILES, FARTHEST_MILES = 25, 500
EARTH_MILES = 3959
KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")

_PATTERN = re.compile(r"\+?[0-9A-Za-z*]{2,16}\Z")
_LAT_LONG = re.compile(r"(-?\d+(?:\.\d+)?), ?(-?\d+(?:\.\d+)?)\Z")

# A filter → what it is compared with.
PLACE: Mapping[str, Callable[[Available], str | None]] = {
    "InPostalCode": lambda number: number.block.postal_code,
    "InRegion": lambda number: number.block.region,
    "InRateCenter": lambda number: number.block.rate_center,
    "InLata": lambda number: number.block.lata,
    "InLocality": lambda number: number.block.locality,
}
# A filter → the requirements that it excludes.
EXCLUDES: Mapping[str, Sequence[str]] = {
    "ExcludeAllAddressRequired": ("any", "local", "foreign"),
    "ExcludeLocalAddressRequired": ("local",),
    "ExcludeForeignAddressRequired": ("foreign",),
}
# A filter → the ability that it asks for, or asks to be missing.
ABILITIES: Mapping[str, str] = {
    "VoiceEnabled": "voice",
    "SmsEnabled": "sms",
    "MmsEnabled": "mms",
    "FaxEnabled": "fax",
}
# In this order, the first that holds is the refusal.
CHECKS: Sequence[tuple[int, str, Callable[[Form], bool]]] = (
    (21451, "AreaCode", lambda form: "AreaCode" in form and not re.match(r"\d{3}\Z", form.get("AreaCode"))),
    (20001, "Contains", lambda form: "Contains" in form and not is_pattern(form.get("Contains"))),
    (20001, "NearLatLong", lambda form: "NearLatLong" in form and not _LAT_LONG.match(form.get("NearLatLong"))),
    (20001, "Distance", lambda form: "Distance" in form and not 0 <= form.number("Distance", -1) <= FARTHEST_MILES),
)


def countries(account: Account, request: Request, now: datetime) -> Reply:
    """Every country: the provider shows them on one page."""
    shown = [assets.country(account, code) for code in COUNTRIES]
    return Reply(200, {"countries": shown, "uri": request.path})


def country(account: Account, request: Request, now: datetime) -> Reply:
    code = request.ids[0]
    if code not in COUNTRIES:
        raise Missing
    return Reply(200, assets.country(account, code))


def search(account: Account, request: Request, now: datetime) -> Reply:
    code, kind, query = request.ids[0], request.last.removesuffix(".json"), request.query
    if code not in COUNTRIES or kind not in COUNTRIES[code].kinds:
        raise Missing
    for error, name, holds in CHECKS:
        if holds(query):
            return refusal(error, query.get(name))
    offers = for_sale(account.seed, taken(account), code, kind)

    def keep(number: Available) -> bool:
        return (
            (not query.get("Contains") or matches(query.get("Contains"), number.phone_number))
            and _is_in_area(query, number)
            and all(equal(query, name, of(number)) for name, of in PLACE.items())
            and all(query.flag(name) == number.capabilities[each] for name, each in ABILITIES.items() if name in query)
            and not any(query.flag(name) and number.address_requirements in no for name, no in EXCLUDES.items())
            and (query.flag("Beta", True) or not number.beta)
            and _is_near(query, number, offers)
        )

    return page(account, request, "available_phone_numbers", offers, keep, assets.available)


def is_pattern(text: str) -> bool:
    return bool(_PATTERN.match(text))


def matches(pattern: str, phone_number: str) -> bool:
    """Whether a number holds the digits of a pattern: letters as on a keypad, `*` any; `+`: its beginning."""
    digits = pattern.upper().translate(KEYPAD)
    found = re.escape(digits.removeprefix("+")).replace(r"\*", r"\d")
    return bool(re.search((r"\A\+" if digits.startswith("+") else "") + found, phone_number))


def _is_in_area(query: Form, number: Available) -> bool:
    """Area codes are North America's."""
    area = query.get("AreaCode")
    return not area or (number.country in NORTH_AMERICA and number.phone_number.startswith(f"+1{area}"))


def _is_near(query: Form, number: Available, offers: Sequence[Available]) -> bool:
    """Within `Distance` miles of a point, or of the place of a number; in North America."""
    place = _LAT_LONG.match(query.get("NearLatLong"))
    there = (float(place[1]), float(place[2])) if place else None
    if query.get("NearNumber"):
        there = _place(query.get("NearNumber"), offers)
        if there is None:
            return False
    if there is None:
        return True
    here = _coordinates(number)
    return here is not None and _miles(here, there) <= query.number("Distance", WITHIN_MILES)


def _place(phone_number: str, offers: Sequence[Available]) -> tuple[float, float] | None:
    """Where numbers with its area code are."""
    return next((_coordinates(each) for each in offers if phone_number.startswith(each.block.prefix[:5])), None)


def _coordinates(number: Available) -> tuple[float, float] | None:
    latitude, longitude = number.block.latitude, number.block.longitude
    return None if latitude is None or longitude is None else (latitude, longitude)


def _miles(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Along a great circle (the haversine formula)."""
    north, east, other_north, other_east = map(math.radians, (*here, *there))
    half = math.sin((other_north - north) / 2) ** 2
    half += math.cos(north) * math.cos(other_north) * math.sin((other_east - east) / 2) ** 2
    return 2 * EARTH_MILES * math.asin(math.sqrt(half))
