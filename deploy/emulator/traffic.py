"""`python -m deploy.emulator traffic`: people write to and call our numbers, at a running emulator.

Who, when and what is drawn from the seed. In real time it is paced by the machine's clock; where the emulator's
time is virtual, it is moved instead of waited for: a day of traffic takes as long as its work.
"""

import argparse
import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

import httpx
import yaml

from deploy.emulator.chance import choose, draw

TOKEN_VARIABLE = "EMULATOR_AUTH_TOKEN"  # noqa: S105 the name of a variable
MOST_ARRIVALS = 1_000_000
TOGETHER = 16  # requests that may run at once


class BadProfile(ValueError):
    """The profile names something that is not there, or asks for what cannot be done."""


@dataclass(frozen=True)
class Profile:
    """Rates in a second of provider time; both kinds come at random, as people do (a Poisson process)."""

    seconds: float = 60
    messages_per_second: float = 1
    calls_per_second: float = 0.2
    people: int = 1000  # so many write and call, again and again
    to: str = "+15005550006"
    bodies: Mapping[str, float] = field(
        default_factory=lambda: {"Hello": 60, "Where is my order?": 30, "INFO": 6, "STOP": 2, "START": 2}
    )


PROFILES: Mapping[str, Profile] = {
    "quiet": Profile(),
    "busy": Profile(seconds=300, messages_per_second=20, calls_per_second=2),
    "burst": Profile(seconds=10, messages_per_second=300, calls_per_second=20, people=3000),
    "day": Profile(seconds=86_400, messages_per_second=1, calls_per_second=0.1, people=20_000),
}


class Arrival(NamedTuple):
    """Somebody writes `body`, or calls where that is None, so many seconds after the beginning."""

    at: float
    who: str
    body: str | None = None


def arrivals(profile: Profile, seed: int) -> Iterator[Arrival]:
    """In their order in time; the same for the same seed."""
    together = profile.messages_per_second + profile.calls_per_second
    chance, at = draw(seed, "traffic"), 0.0
    while together and (at := at + chance.expovariate(together)) < profile.seconds:
        who = f"+1415{chance.randrange(profile.people):07d}"
        writes = chance.random() < profile.messages_per_second / together
        body = choose(chance, profile.bodies)
        yield Arrival(at, who, body if writes else None)


def profile_from(document: object) -> Profile:
    """The profile in a YAML file's document. Raises BadProfile."""
    if not isinstance(document, dict):
        raise BadProfile("the profile: it is names and values")
    names = {known.name for known in fields(Profile)}
    if unknown := sorted(set(document) - names):
        raise BadProfile(f"the profile: no such key {unknown[0]!r}; there are {', '.join(sorted(names))}")
    profile = Profile(**document)
    rates = (profile.seconds, profile.messages_per_second, profile.calls_per_second, profile.people - 1)
    if not all(isinstance(rate, int | float) and rate >= 0 for rate in rates):
        raise BadProfile("the profile: seconds and rates are numbers from 0, people are at least one")
    weights = profile.bodies.values() if isinstance(profile.bodies, Mapping) else ()
    if not all(isinstance(weight, int | float) and weight >= 0 for weight in weights) or not sum(weights):
        raise BadProfile("the profile: bodies are texts with weights, of which one is above 0")
    if profile.seconds * (profile.messages_per_second + profile.calls_per_second) > MOST_ARRIVALS:
        raise BadProfile(f"the profile: more than {MOST_ARRIVALS} arrivals; ask for fewer seconds or lower rates")
    return profile


async def drive(emulator: httpx.AsyncClient, profile: Profile, seed: int, urls: "Urls") -> "Driven":
    """Have it all happen at the emulator. Raises httpx.HTTPError where it does not take something."""
    time = (await emulator.get("/emulator/time")).raise_for_status().json()
    pace = _Virtual(emulator) if time["virtual"] else _Real(time["speed"])
    driven, running = Driven(), asyncio.Semaphore(TOGETHER)

    async def happen(arrival: Arrival) -> None:
        said = {"from": arrival.who, "to": profile.to}
        if arrival.body is None:
            path, url = "/emulator/inbound/calls", urls.calls
        else:
            path, url, said["body"] = "/emulator/inbound/messages", urls.messages, arrival.body
        (await emulator.post(path, json={**said, "url": url} if url else said)).raise_for_status()
        driven.calls += arrival.body is None
        driven.messages += arrival.body is not None

    async with asyncio.TaskGroup() as group:
        for arrival in arrivals(profile, seed):
            await pace.until(arrival.at)
            if time["virtual"]:
                await happen(arrival)  # one after the other: the same SIDs for the same seed
            else:
                await running.acquire()  # a slow emulator holds the next ones up instead of piling them up
                group.create_task(happen(arrival)).add_done_callback(lambda _: running.release())
    await pace.end()
    return driven


class Urls(NamedTuple):
    """The webhooks of our number, where it has none of its own."""

    messages: str | None = None
    calls: str | None = None


@dataclass
class Driven:
    """How much has happened."""

    messages: int = 0
    calls: int = 0


class _Real:
    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._begun = asyncio.get_running_loop().time()

    async def until(self, at: float) -> None:
        await asyncio.sleep(max(0, self._begun + at / self._speed - asyncio.get_running_loop().time()))

    async def end(self) -> None:
        """What follows goes on by itself."""


class _Virtual:
    def __init__(self, emulator: httpx.AsyncClient) -> None:
        self._emulator, self._at = emulator, 0.0

    async def until(self, at: float) -> None:
        answer = await self._emulator.post("/emulator/time", json={"seconds": at - self._at}, timeout=None)
        answer.raise_for_status()
        self._at = at

    async def end(self) -> None:
        (await self._emulator.post("/emulator/time", json={}, timeout=None)).raise_for_status()


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.emulator traffic", description=__doc__)
    parser.add_argument("--emulator", default="http://127.0.0.1:4010", help="where it runs")
    parser.add_argument("--account-sid", required=True, help=f"its token is in ${TOKEN_VARIABLE}")
    parser.add_argument("--profile", default="quiet", help=f"{', '.join(PROFILES)}, or a YAML file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages-url", help="the webhook of messages, where the number has no SmsUrl")
    parser.add_argument("--calls-url", help="the webhook of calls, where it has no VoiceUrl")
    options = parser.parse_args(argv)
    try:
        found = PROFILES.get(options.profile)
        profile = found or profile_from(yaml.safe_load(Path(options.profile).read_text()) or {})
    except (BadProfile, OSError) as bad:
        parser.error(str(bad))
    auth = (options.account_sid, os.environ.get(TOKEN_VARIABLE, ""))

    async def run() -> Driven:
        async with httpx.AsyncClient(base_url=options.emulator, auth=auth, trust_env=False, timeout=30) as emulator:
            return await drive(emulator, profile, options.seed, Urls(options.messages_url, options.calls_url))

    failed: BaseExceptionGroup[httpx.HTTPError] | None = None
    try:
        driven = asyncio.run(run())
    except* httpx.HTTPError as errors:
        failed = errors
    if failed:
        parser.exit(1, f"the emulator at {options.emulator} did not take it: {failed.exceptions[0]}\n")
    print(f"{driven.messages} messages and {driven.calls} calls")
