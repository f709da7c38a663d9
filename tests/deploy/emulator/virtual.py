"""The emulator in this process and in virtual time: REST without sockets, receivers that are callables."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from deploy.emulator.account import Account
from deploy.emulator.callbacks.carrying import Received, in_process
from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.clocks import VirtualClock
from deploy.emulator.errors import Json, Reply
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import plan_from
from deploy.emulator.rest.operations import perform
from deploy.emulator.truth import truth
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, TOKEN

URL = "https://hooks.switchhook.net/status"


@dataclass
class World:
    """`answer` says what a receiver answers; `requests` are what it got, in its order."""

    plan: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1
    answer: Callable[[Outgoing], Received] = lambda request: (204, "")
    requests: list[Outgoing] = field(default_factory=list)

    def __post_init__(self) -> None:
        account = Account(ACCOUNT, self.seed, plan_from(self.plan))
        self.exchange = Exchange(account, Keys(TOKEN), VirtualClock(), in_process(self._receive()))

    def _receive(self) -> Callable[[Outgoing], Awaitable[Received]]:
        async def receive(request: Outgoing) -> Received:
            self.requests.append(request)
            return self.answer(request)

        return receive

    @property
    def account(self) -> Account:
        return self.exchange.account

    def ask(self, method: str, path: str, form: Mapping[str, str]) -> Reply:
        """A REST request below the account by the names of its parameters."""
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        return self.exchange.change(
            lambda account, now: perform(account, method, base, f"{path}.json", "", urlencode(form), now)
        )

    def post(self, path: str, **form: str) -> Json:
        """The body of the answer to one that is taken."""
        reply = self.ask("POST", path, form)
        assert reply.status < 300, reply.body
        assert isinstance(reply.body, dict)
        return reply.body

    def send(self, to: str = "+15005560000", **more: str) -> str:
        form = {"To": to, "From": SENDER, "Body": "hello", "StatusCallback": URL}
        return str(self.post("Messages", **{**form, **more})["sid"])

    def truth(self) -> bytes:
        exchange = self.exchange
        events = dict(exchange.streams.counts)
        return orjson.dumps(truth(exchange.account, exchange.callbacks.deliveries, events, {}))
