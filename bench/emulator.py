"""`python -m bench.emulator`: a day of messages through the emulator in virtual time, on one core.

Each is asked for over the REST operations, walks its statuses, and is called back with signed requests that a
receiver in this process answers. What is checked: every message has ended, and every callback arrived.
"""

import argparse
import asyncio
import resource
import sys
import time
from urllib.parse import urlencode

from deploy.emulator.account import Account
from deploy.emulator.callbacks.carrying import in_process
from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.clocks import VirtualClock
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import Plan
from deploy.emulator.rest.operations import perform

DAY = 86_400.0
ACCOUNT_SID, TOKEN = "AC" + "b" * 32, "0" * 32
BASE = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
OPEN = frozenset({"accepted", "queued", "sending"})


async def day(messages: int, seed: int) -> int:
    """How many callbacks a day of so many messages brought. Raises RuntimeError where one is missing."""
    arrived = 0

    async def receive(request: Outgoing) -> tuple[int, str]:
        nonlocal arrived
        arrived += 1
        return 204, ""

    account = Account(ACCOUNT_SID, seed, Plan())
    exchange = Exchange(account, Keys(TOKEN), VirtualClock(), in_process(receive))

    def ask(number: int) -> None:
        to, url = f"+1202{number:07d}", f"https://hooks.example.net/status?action=bench-{number}"
        form = urlencode({"To": to, "From": "+15005550006", "Body": f"no. {number}", "StatusCallback": url})
        exchange.change(lambda account, now: perform(account, "POST", BASE, "Messages.json", "", form, now))
        if number + 1 < messages:
            exchange.agenda.after(DAY / messages, lambda: ask(number + 1))

    ask(0)
    await exchange.move()
    truth = exchange.callbacks.deliveries
    if len(account.messages) != messages or any(each.status in OPEN for each in account.messages.values()):
        raise RuntimeError("a message has not ended")
    if truth.lost() or truth.outstanding or arrived != truth.truth()["total"]["made"]:
        raise RuntimeError("a callback did not arrive")
    return arrived


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.emulator", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    begun, used = time.perf_counter(), time.process_time()
    arrived = asyncio.run(day(chosen.messages, chosen.seed))
    real, cpu = time.perf_counter() - begun, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{chosen.messages} messages and {arrived} callbacks of a day in {real:.1f} s ({cpu:.1f} s of CPU)")
    print(f"{1e6 * cpu / chosen.messages:.0f} µs of CPU a message, {memory:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
