"""`python -m sinks act`: a person asks for an action and sees what came of it.

0 done · 1 refused · 2 nothing was asked for, since it was written wrongly or nobody is there to ask · 3 unknown, or no
answer in time: the id is printed, under which it can be asked for again without being done twice.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ingest.contract.codec import Undecodable
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from processors.contract.actions import Action
from processors.stream.producer import BrokerUnavailable, KafkaProducer
from sinks.acting.asking import Answer, ask, outgoing
from sinks.acting.bulk.command import run as run_bulk
from sinks.acting.catalogue import BULK, listing
from sinks.acting.log import KafkaLog, NoTopic, in_short
from sinks.acting.mistakes import Mistaken, lines_of
from sinks.acting.reading import PROGRAM, Whom, read
from sinks.acting.shown import UNANSWERED, as_json, exit_code, show
from sinks.settings import ActSettings, read_act_settings

USAGE = f"""usage: {PROGRAM} TYPE [--option VALUE …]
       {PROGRAM} TYPE --help
       {PROGRAM} --file FILE

Asks for an action and waits for what comes of it. Exit codes: 0 done, 1 refused, 2 nothing was asked for, 3 unknown or
no answer in time. Actions:
"""

MOST_READ = 1_000_000
"""Characters of an action: a record on a topic has no more."""

WIDE = 240
"""Columns where it is no terminal that is written to: whoever reads it wants whole lines."""


def main(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(f"{USAGE}\n{listing()}")
        return 0
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to say is said here, and once
    try:
        settings, kafka = read_act_settings()
    except InvalidSettings as error:
        return _refuse(error.told("This"))
    try:
        whom = whom_of(settings)
        return run_bulk(words[1:], whom, kafka, console()) if words[0] == BULK else run(words, whom, kafka)
    except Mistaken as error:
        named = PROGRAM if words[0].startswith("-") else f"{PROGRAM} {words[0]}"
        return _refuse("\n".join(lines_of(error.mistakes, f"`{named} --help`")))
    except NoTopic as error:
        return _refuse(f"There is no topic {error}: `python -m deploy.topics` makes it")
    except BrokerUnavailable as error:
        return _refuse(f"Kafka does not answer at {kafka.bootstrap_servers} ({in_short(error)})")


def _refuse(said: str) -> int:
    print(said, file=sys.stderr)
    return 2


def run(words: Sequence[str], whom: Whom, kafka: Kafka) -> int:
    """Raises Mistaken; and BrokerUnavailable and NoTopic where it surely was not asked for."""
    action, chosen = read(words, whom, f"act-{secrets.token_hex(12)}", _text)
    if chosen.dry_run:
        print(json.dumps(_record(action, kafka.topic_prefix), ensure_ascii=False, indent=2))
        return 0
    seconds = 0.0 if chosen.no_wait else chosen.wait
    try:
        answer = asyncio.run(_asked(action, kafka, seconds, again=chosen.id is not None))
    except NotSure as error:
        said = f"{error}: it may have been asked for or not; the same with `--id {action.id}` is not done twice"
        print(said, file=sys.stderr)
        return UNANSWERED
    if chosen.no_wait:
        print(action.id)
        return 0
    if chosen.json:
        print(json.dumps(as_json(answer, reveal=chosen.reveal), ensure_ascii=False))
    else:
        show(answer, console(), reveal=chosen.reveal)
    return exit_code(answer)


def whom_of(settings: ActSettings) -> Whom:
    accounts = {sid: sid for sid in settings.accounts}
    accounts |= {account.alias: sid for sid, account in settings.accounts.items() if account.alias}
    only = next(iter(settings.accounts)) if len(settings.accounts) == 1 else None
    hash_key = settings.hash_key.get_secret_value().encode() if settings.hash_key is not None else None
    return Whom(accounts, settings.account or only, hash_key)


def console() -> Console:
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDE)


class NotSure(Exception):
    """Whether the action was asked for, nobody knows; says why."""


async def _asked(action: Action, kafka: Kafka, seconds: float, *, again: bool) -> Answer:
    """Raises NotSure; and BrokerUnavailable and NoTopic where it surely was not asked for."""
    async with contextlib.AsyncExitStack() as stack:
        producer = KafkaProducer(kafka)
        stack.push_async_callback(producer.stop)
        await producer.start()
        log = await stack.enter_async_context(KafkaLog(kafka)) if seconds else None
        try:
            if log is not None:
                return await ask(action, log, producer, kafka.topic_prefix, seconds, again=again)
            await producer.publish([outgoing(action, kafka.topic_prefix)])
        except BrokerUnavailable as error:
            raise NotSure(f"Kafka does not answer ({in_short(error)})") from None
        except Undecodable:
            raise NotSure("The answer is in words of another version than this command's") from None
        except asyncio.CancelledError:
            raise NotSure("Stopped") from None
    return Answer(action)


def _record(action: Action, prefix: str) -> dict[str, object]:
    topic, key, value, headers, _ = outgoing(action, prefix)
    assert key is not None
    assert value is not None
    return {
        "topic": topic,
        "key": key.decode(),
        "headers": {name: text.decode() for name, text in headers},
        "value": json.loads(value),
    }


def _text(path: str) -> str:
    """Raises Mistaken where there is more of it than of any action."""
    with sys.stdin if path == "-" else Path(path).open(encoding="utf-8") as file:
        text = file.read(MOST_READ + 1)
    if len(text) > MOST_READ:
        raise Mistaken([f"--file: has more than {MOST_READ:,} characters"])
    return text
