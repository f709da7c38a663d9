"""Everything that looks random, drawn from the seed and a name: ids, outcomes, delays, faults.

Each draw has its own generator, named after what it decides (`draw(7, "message", 12)`), so a decision
never depends on how concurrent requests happened to interleave before it.
"""

import hashlib
import random
import uuid
from collections.abc import Mapping

Key = str | int


def draw(seed: int, *key: Key) -> random.Random:
    """A generator of its own for one decision."""
    return random.Random("/".join(map(str, (seed, *key))))


def choose(chance: random.Random, weights: Mapping[str, float]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def sid(seed: int, prefix: str, index: int) -> str:
    """Two letters and 32 hexadecimal digits: the n-th SID of its prefix."""
    return prefix + hashlib.sha256(f"{seed}/{prefix}/{index}".encode()).hexdigest()[:32]


def token(seed: int, *key: Key) -> str:
    """A UUID, as in `I-Twilio-Idempotency-Token`."""
    name = "/".join(map(str, (seed, "token", *key)))
    return str(uuid.UUID(hashlib.sha256(name.encode()).hexdigest()[:32]))
