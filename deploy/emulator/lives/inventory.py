"""The numbers that may be bought: where they are, what they can do. Drawn from the seed, the same for every search.

All of them are of ranges that are kept for drama and documentation (the North American 555-01XX, Ofcom's, ACMA's,
the Bundesnetzagentur's, ARCEP's): nobody's telephone rings when an emulated number leaks into a real system.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deploy.emulator.chance import draw

STOCK = 20  # numbers of a block that are for sale
BETA, LACKS = 0.05, 0.2  # how often a number is new to the provider, and how often it lacks an ability


class Block(NamedTuple):
    """A hundred numbers of one place: `prefix` and `width` digits from `first`. The first ability never lacks."""

    prefix: str
    first: int
    width: int
    abilities: Sequence[str]
    locality: str | None = None
    region: str | None = None
    postal_code: str | None = None
    rate_center: str | None = None
    lata: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Country(NamedTuple):
    name: str
    address_requirements: str
    kinds: Mapping[str, Sequence[Block]]
    beta: bool = False


@dataclass(frozen=True)
class Available:
    """A number for sale."""

    index: int
    phone_number: str
    country: str
    kind: str
    address_requirements: str
    block: Block
    capabilities: Mapping[str, bool]
    beta: bool
    deleted: bool = False  # never: one that is bought is not in stock

    @property
    def friendly_name(self) -> str:
        """As people write it in North America; elsewhere as it is."""
        digits = self.phone_number.removeprefix("+1")
        if not self.phone_number.startswith("+1"):
            return self.phone_number
        return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


ALL, TALK, PHONE = ("voice", "sms", "mms", "fax"), ("voice", "fax"), ("voice", "sms")

COUNTRIES: Mapping[str, Country] = {
    "US": Country("United States", "none", {
        "Local": (
            Block("+1212555", 100, 4, ALL, "New York", "NY", "10001", "NWYRCYZN01", "132", 40.71, -74.01),
            Block("+1213555", 100, 4, ALL, "Los Angeles", "CA", "90012", "LSAN DA 01", "730", 34.05, -118.24),
            Block("+1312555", 100, 4, ALL, "Chicago", "IL", "60601", "CHICAGO", "358", 41.88, -87.63),
            Block("+1415555", 100, 4, ALL, "San Francisco", "CA", "94103", "SNFC CNTRL", "722", 37.77, -122.42),
            Block("+1510555", 100, 4, ALL, "Oakland", "CA", "94612", "OKLD MN-PD", "722", 37.8, -122.27),
            Block("+1808555", 100, 4, ALL, "Hilo", "HI", "96720", "HILO", "834", 19.72, -155.09),
        ),
        "TollFree": tuple(Block(f"+1{area}555", 100, 4, ALL) for area in (800, 833, 844, 855, 866, 877, 888)),
    }),
    "CA": Country("Canada", "none", {
        "Local": (
            Block("+1416555", 100, 4, ALL, "Toronto", "ON", "M5H", "TORONTO", "888", 43.65, -79.38),
            Block("+1604555", 100, 4, ALL, "Vancouver", "BC", "V5K", "VANCOUVER", "888", 49.28, -123.12),
        ),
        "TollFree": (Block("+1844555", 100, 4, ALL),),
    }),
    "GB": Country("United Kingdom", "any", {
        "Local": (
            Block("+442079460", 100, 3, TALK, "London", "England"),
            Block("+441174960", 100, 3, TALK, "Bristol", "England"),
        ),
        "Mobile": (Block("+447700900", 100, 3, PHONE),),
        "TollFree": (Block("+448081570", 100, 3, TALK),),
        "National": (Block("+443069990", 100, 3, TALK),),
    }),
    "AU": Country("Australia", "local", {
        "Local": (
            Block("+6125550", 100, 4, TALK, "Sydney", "NSW"),
            Block("+6135550", 100, 4, TALK, "Melbourne", "VIC"),
        ),
        "Mobile": (Block("+61491570", 100, 3, PHONE),),
        "TollFree": (Block("+611800975", 700, 3, TALK),),
    }),
    "DE": Country("Germany", "local", {
        "Local": (Block("+493023125", 100, 3, TALK, "Berlin", "Berlin"),),
        "Mobile": (Block("+491713920", 100, 3, PHONE),),
        "National": (Block("+493299970", 100, 3, TALK),),
    }),
    "FR": Country("France", "foreign", {
        "Local": (Block("+3319900", 100, 4, TALK, "Paris", "Ile-de-France"),),
        "Mobile": (Block("+3363998", 100, 4, PHONE),),
        "National": (Block("+3399900", 100, 4, TALK),),
        "Voip": (Block("+3326191", 100, 4, TALK),),
        "SharedCost": (Block("+3335399", 100, 4, TALK),),
        "MachineToMachine": (Block("+3370000", 100, 4, ("sms",)),),
    }, beta=True),
}  # fmt: skip


@functools.cache
def stock(seed: int, country: str, kind: str) -> Sequence[Available]:
    """What a country sells of a kind, before anybody buys."""
    sold = COUNTRIES[country]
    found: list[Available] = []
    for block in sold.kinds[kind]:
        chance = draw(seed, "stock", block.prefix)
        for n in chance.sample(range(100), STOCK):
            abilities = {block.abilities[0], *(each for each in block.abilities if chance.random() >= LACKS)}
            found.append(
                Available(
                    index=len(found) + 1,
                    phone_number=f"{block.prefix}{block.first + n:0{block.width}}",
                    country=country,
                    kind=kind,
                    address_requirements=sold.address_requirements,
                    block=block,
                    capabilities={each: each in abilities for each in ALL},
                    beta=chance.random() < BETA,
                )
            )
    return tuple(found)


def for_sale(seed: int, taken: frozenset[str], country: str, kind: str) -> list[Available]:
    return [each for each in stock(seed, country, kind) if each.phone_number not in taken]


def everywhere(seed: int) -> list[Available]:
    """All that is sold anywhere, bought or not."""
    return [each for code, country in COUNTRIES.items() for kind in country.kinds for each in stock(seed, code, kind)]
