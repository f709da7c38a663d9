"""The job, the same for all: so many messages, no two alike, of which the provider is to tell what becomes."""

from collections.abc import Iterator

from processors.contract.actions import CreateMessage

ACCOUNT, TOKEN = "AC" + "b" * 32, "0" * 32
FRONT_DOOR = "https://hooks.example.org"
CONCURRENCY = 32


def messages(count: int) -> Iterator[CreateMessage]:
    for number in range(count):
        name = f"bench-{number}"
        yield CreateMessage(
            id=name, account_sid=ACCOUNT, ordering_key=name, to=f"+1202{number:07d}", from_="+15005550006",
            body=f"Your order {number} is on its way",
        )  # fmt: skip
