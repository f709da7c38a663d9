"""Histories by kind and seed, and what becomes of them on their way: doubled, shuffled, late, in batches."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import TypeVar

from ingest.contract.codec import Envelope
from tests.histories.calls import call
from tests.histories.conferences import conference, participant
from tests.histories.messages import message
from tests.histories.recordings import recording
from tests.histories.voice import History, Voice

LIVES: Mapping[str, Callable[[Voice], None]] = {
    "message": message,
    "call": call,
    "recording": recording,
    "conference": conference,
    "participant": participant,
}

T = TypeVar("T")

_DELAYS = [timedelta(milliseconds=7**power) for power in range(8)]


def lived(kind: str, chance: Random) -> History:
    voice = Voice(chance)
    LIVES[kind](voice)
    return History(kind, voice.said)


def delivered(said: Sequence[Envelope], chance: Random) -> list[Envelope]:
    """What arrives, in some order: everything at least once, each time received at another moment."""
    random = chance.random
    arrived = []
    for envelope in said:
        arrived.append(envelope._replace(received=envelope.received + _DELAYS[int(random() * 8)]))
        while random() > 0.75:
            arrived.append(envelope._replace(received=envelope.received + _DELAYS[int(random() * 8)]))
    chance.shuffle(arrived)
    return arrived


def batches(delivery: Sequence[T], chance: Random) -> list[Sequence[T]]:
    """The same, cut anywhere."""
    cut, found = 0, list[Sequence[T]]()
    while cut < len(delivery):
        size = 1 + int(chance.random() * 6)
        found.append(delivery[cut : cut + size])
        cut += size
    return found
