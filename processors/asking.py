"""Asking: is a rules file right, what would it do, and what is known of one resource and why.

`rules check FILE`, `rules try FILE EVENTS`, `why SID`. Numbers and words of people are shown with `--reveal` only, but
for those that one has typed in oneself.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ingest.contract.codec import Envelope, Undecodable
from ingest.contract.environment import InvalidSettings
from processors.captured import Uncaptured, envelopes
from processors.contract.actions import Action
from processors.contract.statuses import RANKS
from processors.domain import source
from processors.domain.errors import error_class
from processors.domain.facts import Resource
from processors.domain.fold import fold
from processors.domain.judging import Judgement, judgements, verdict
from processors.domain.reading import read
from processors.domain.rulebook import Rulebook, answers_blindly, judges, keyword, since, write_down
from processors.domain.rules import InvalidRules, Rule, Rules
from processors.domain.source import Problem, Unusable
from processors.domain.stamps import Stamp
from processors.domain.statuses import is_terminal, status
from processors.settings import load_rules, read_settings
from processors.sql import DatabaseRefused
from processors.store.pages import open_pages
from processors.store.personal import PERSONAL
from processors.store.port import Forgotten, StoreUnavailable

Command = Callable[[argparse.Namespace], int]
Shown = Mapping[str, Any]

_NO_KEY = b"not for ordering"


class CannotAsk(Exception):
    """Why there is no answer; for a person to read."""


def add_rules(parser: argparse.ArgumentParser) -> Command:
    verbs = parser.add_subparsers(dest="verb", required=True)
    checking = verbs.add_parser("check", help="name every problem of a rules file, each with its line")
    checking.add_argument("file", type=Path)
    checking.add_argument("--replies", type=Path, help="the front door's replies: no keyword may be served by both")
    trying = verbs.add_parser("try", help="what the rules would make of events, and why not")
    trying.add_argument("file", type=Path)
    trying.add_argument("events", help="a file of events as JSON, or `-`: one, a list, or a line each")
    trying.add_argument("--json", action="store_true")
    return lambda chosen: _answered(check if chosen.verb == "check" else try_out, chosen)


def add_why(parser: argparse.ArgumentParser) -> Command:
    parser.add_argument("sid", help="of a message, call, recording or conference; of a participant CF…/CA…")
    parser.add_argument("--rules", type=Path, help="instead of those of the settings")
    parser.add_argument("--reveal", action="store_true", help="show numbers, names and words")
    parser.add_argument("--json", action="store_true")
    return lambda chosen: _answered(why, chosen)


def _answered(ask: Command, chosen: argparse.Namespace) -> int:
    """2 where there is no answer, with the reason on standard error."""
    try:
        return ask(chosen)
    except InvalidRules as error:
        _refuse(chosen.file if "file" in chosen else chosen.rules, error.found)
    except InvalidSettings as error:
        print(error.told("This"), file=sys.stderr)
    except (CannotAsk, OSError, StoreUnavailable, DatabaseRefused, SQLAlchemyError) as error:
        print(f"There is no answer: {error}", file=sys.stderr)
    return 2


def _refuse(path: Path, problems: Sequence[Problem]) -> None:
    """As compilers do, so that an editor can go there."""
    for line, text in problems:
        print(f"{path}: {text}" if line is None else f"{path}:{line}: {text}", file=sys.stderr)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CannotAsk(f"{path} is no text in UTF-8") from None


# Checking.


def check(chosen: argparse.Namespace) -> int:
    rules = load_rules(chosen.file)
    if chosen.replies is not None and (twice := _served_twice(rules, chosen.replies)):
        _refuse(chosen.replies, twice)
        return 2
    for rule, judge in zip(rules.rules, judges(rules), strict=True):
        print(_in_a_line(rule))
        print(f"    waits for {'; '.join(each.says for each in judge.waits_for)}")
        if judge.besides:
            print(f"    then asks whether {'; '.join(each.says for each in judge.besides)}")
        if answers_blindly(rule):
            print("    NOTE: answers whoever wrote, those who have opted out too: wait for `opt_out_type: none`")
    print(f"{len(rules.rules)} rules are valid, {sum(rule.enabled for rule in rules.rules)} of them switched on")
    return 0


def _in_a_line(rule: Rule) -> str:
    state = "off" if not rule.enabled else "dry run" if rule.dry_run else "on"
    does = ", ".join(effect.action for effect in rule.then)
    settle = "" if rule.settle is None else f", judged after {rule.settle:g} s"
    return f"{rule.name:<28} {state:<8} {rule.when.kind:<12} {does}{settle}"


def _served_twice(rules: Rules, path: Path) -> Sequence[Problem]:
    """A keyword of a rule that the front door answers too, by the TwiML templates of its replies file."""
    try:
        replied = _replied(path)
    except Unusable as error:
        return error.problems
    said = "a keyword is answered by the front door or by a rule ({}), not by both"
    return [
        Problem(replied[word], f"{word}: {said.format(rule.name)}")
        for rule in rules.rules
        if rule.enabled
        for word in sorted(set(map(keyword, rule.when.keyword)) & set(replied))
    ]


def _replied(path: Path) -> Mapping[str, int]:
    """The keywords of the front door's file with their lines; its other mistakes are the front door's to tell.

    Raises Unusable.
    """
    document = source.read(_text_of(path))
    routes = document.value if isinstance(document.value, dict) else {}
    found: dict[str, int] = {}
    for route in ("message-inbound", "message-fallback"):
        entry = routes.get(route)
        words = entry.get("keywords") if isinstance(entry, dict) else None
        for word in words if isinstance(words, dict) else ():
            found.setdefault(keyword(str(word)), document.line((route, "keywords", word)))
    return found


# Trying.


def try_out(chosen: argparse.Namespace) -> int:
    rules = write_down(load_rules(chosen.file))
    rows = _folded(_events(chosen.events), rules)
    _print([_tried(row, rules) for row in rows], _trial_told, as_json=chosen.json)
    return 0


def _events(place: str) -> Sequence[Envelope]:
    try:
        text = sys.stdin.read() if place == "-" else _text_of(Path(place))
        found = list(envelopes(text, datetime.now(UTC)))
    except UnicodeDecodeError:
        raise CannotAsk("standard input is no text in UTF-8") from None
    except Uncaptured as error:
        raise CannotAsk(str(error)) from None
    if not found:
        raise CannotAsk(f"{'standard input' if place == '-' else place} holds no event")
    return found


def _folded(events: Sequence[Envelope], rules: Rulebook) -> Sequence[Resource]:
    rows: dict[str, Resource] = {}
    for envelope in events:
        if not envelope.verified:
            print("an event that nobody vouches for (ce_verified) is left out, as the brain does", file=sys.stderr)
            continue
        try:
            statement = read(envelope)
        except Undecodable as error:
            raise CannotAsk(str(error)) from None
        rows[statement.key] = fold(rows.get(statement.key), statement, rules, _NO_KEY).resource
    return list(rows.values())


def _tried(row: Resource, rules: Rulebook) -> Shown:
    return {
        "key": row.key,
        "kind": row.kind,
        "status": status(row.kind, row.facts),
        "rules": [
            {**_judgement(each, row, verdict(each), reveal=True), "fires": each.fired and each.enabled}
            for each in judgements(row, rules, _NO_KEY)
        ],
    }


def _judgement(found: Judgement, row: Resource, told: str, *, reveal: bool) -> Shown:
    return {
        "rule": found.rule,
        "verdict": told,
        "enabled": found.enabled,
        "dry_run": found.dry_run,
        "settle": found.settle,
        "due": found.due,
        "judged_at": found.judged_at,
        "conditions": [
            {"condition": each.says, "holds": each.holds, "known": _instead(row, each.about, reveal=reveal)}
            for each in (*found.waits_for, *found.besides)
        ],
        "actions": [_action(each.action) for each in found.effects if each.action],
        "not_made": [list(each.wrong) for each in found.effects if each.action is None],
    }


def _instead(row: Resource, about: str, *, reveal: bool) -> Sequence[object]:
    """What is known of what a condition asks for."""
    facts = row.facts
    if about == "status":
        return [each["name"] for each in _seen(facts.statuses, RANKS[row.kind])]
    if about == "event":
        return sorted(facts.events)
    if about == "error":
        return [f"{code} ({error_class(int(code))})" for code in sorted(facts.errors)]
    return [_masked(row, about, reveal=reveal)] if about in facts.attributes else []


def _action(action: Action) -> Shown:
    """Without its ordering key, for which this has not the secret."""
    return action.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"ordering_key"})


def _trial_told(tried: Shown) -> Iterator[str]:
    yield f"{tried['kind']} {tried['key']}, {tried['status'] or 'without a status'}"
    yield from _rules_told(tried["rules"])


def _rules_told(rules: Sequence[Shown]) -> Iterator[str]:
    for rule in rules:
        yield f"  {rule['rule']} {rule['verdict']}"
        for each in rule["conditions"]:
            known = "" if each["holds"] or not each["known"] else f"; known is {', '.join(map(str, each['known']))}"
            yield f"    {'yes' if each['holds'] else 'NO '}  {each['condition']}{known}"
        for action in rule["actions"]:
            yield f"    →    {orjson.dumps(action).decode()}"
        for wrong in rule["not_made"]:
            yield f"    →    no valid action: {', '.join(wrong)}"


# Why.


def why(chosen: argparse.Namespace) -> int:
    """1 where nothing is known of it."""
    settings, _ = read_settings()
    given = settings.rules if chosen.rules is None else load_rules(chosen.rules)
    rules = write_down(_tried_only(given) if settings.dry_run else given)
    url = settings.database_url.get_secret_value()
    _must_exist(url)
    found, children = asyncio.run(_looked_up(url, chosen.sid))
    if not isinstance(found, Resource):
        said = f"was taken away at {found.at}" if isinstance(found, Forgotten) else "is not known"
        print(f"{chosen.sid} {said}", file=sys.stderr)
        return 1
    _print([_known(found, children, rules, reveal=chosen.reveal)], _why_told, as_json=chosen.json)
    return 0


def _tried_only(rules: Rules) -> Rules:
    """As the worker takes them when its settings say `dry_run`."""
    return Rules(rules=tuple(rule.model_copy(update={"dry_run": True}) for rule in rules.rules))


def _must_exist(url: str) -> None:
    """To open a file that is not there would make it, and look like a state in which nothing is known."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        raise CannotAsk(f"there is no {parsed.database}; SWITCHHOOK_PROCESSORS_DATABASE_URL is the one of the worker")


async def _looked_up(url: str, sid: str) -> tuple[Resource | Forgotten | None, Sequence[Resource]]:
    async with open_pages(url, as_it_is=True) as pages:
        found = (await pages.store.read([sid])).get(sid)
        return found, await pages.store.children(sid) if isinstance(found, Resource) else ()


def _known(row: Resource, children: Sequence[Resource], rules: Rulebook, *, reveal: bool) -> Shown:
    facts, current = row.facts, status(row.kind, row.facts)
    met = {judge.rule.name: since(judge, facts) for judge in rules.at_once[row.kind]}
    judged = [
        _judgement(each, row, _as_far_as_known(each, row, met.get(each.rule)), reveal=reveal)
        for each in judgements(row, rules, _NO_KEY)
    ]
    return {
        "key": row.key,
        "kind": row.kind,
        "account_sid": row.account_sid,
        "version": row.version,
        "status": current,
        "terminal": is_terminal(row.kind, current),
        "due": row.due,
        "looked_up": row.sweeps,
        "statuses": _seen(facts.statuses, RANKS[row.kind]),
        "events": _seen(facts.events),
        "errors": _seen(facts.errors),
        "attributes": {
            name: {"value": _masked(row, name, reveal=reveal), "sequence": sequence, "at": at}
            for name, (_, sequence, at) in sorted(facts.attributes.items())
        },
        "children": [
            {"key": each.key, "kind": each.kind, "status": status(each.kind, each.facts)} for each in children
        ],
        "rules": judged if reveal else [{**each, "actions": [_bare(a) for a in each["actions"]]} for each in judged],
    }


def _as_far_as_known(found: Judgement, row: Resource, met: Stamp | None) -> str:
    """The verdict. A row does not hold which rules there were when it heard its facts: whether one has asked for its
    actions shows in their topic alone. `met` is the earliest time at which all that the rule waits for was known."""
    if not found.enabled or found.judged_at is not None:
        return verdict(found)
    if found.due is not None and (row.due is None or row.due > found.due):
        at = f"at {row.due}, or " if row.due else ""
        return f"was to be judged at {found.due} and has not been; it will be {at}with the next event"
    if found.due is None and found.fired and not found.dry_run:
        when = f", since {met} or later" if met else ""
        return (
            f"is met{when}; if the worker had it by then, it has asked for this: look for its id in the actions topic"
        )
    return verdict(found)


def _seen(family: Mapping[str, tuple[str, str | None]], ranks: Mapping[str, Any] | None = None) -> Sequence[Shown]:
    """In the order of their ranks, where they have one, else of time."""
    order = ranks or {}
    names = sorted(family, key=lambda name: (order.get(name, (-1, 0)), family[name][1] or family[name][0]))
    return [{"name": name, "received": family[name][0], "at": family[name][1]} for name in names]


def _masked(row: Resource, name: str, *, reveal: bool) -> object:
    value = row.facts.attributes[name][0]
    return value if reveal or name not in PERSONAL[row.kind] else f"({len(str(value))} characters)"


def _bare(action: Shown) -> Shown:
    return {name: action[name] for name in ("type", "id")}


def _why_told(known: Shown) -> Iterator[str]:
    ended = "ended" if known["terminal"] else "not ended"
    whose = f"{known['kind']} {known['key']} of {known['account_sid']}"
    yield f"{whose}: {known['status']}, {ended}, version {known['version']}"
    if known["due"]:
        yield f"looked at again at {known['due']}, looked up {known['looked_up']} times so far"
    for family in ("statuses", "events", "errors"):
        for each in known[family]:
            told = f", {each['at']} by the provider" if each["at"] else ""
            yield f"  {family:<10} {each['name']:<24} heard {each['received']}{told}"
    for name, each in known["attributes"].items():
        order = f"  #{each['sequence']} {each['at']}" if each["sequence"] >= 0 else ""
        yield f"  {'attribute':<10} {name:<24} {orjson.dumps(each['value']).decode()}{order}"
    for each in known["children"]:
        yield f"  {'has':<10} {each['kind']} {each['key']}, {each['status']}"
    yield from _rules_told(known["rules"])


def _print(answers: Sequence[Shown], told: Callable[[Shown], Iterator[str]], *, as_json: bool) -> None:
    for answer in answers:
        print(orjson.dumps(answer).decode() if as_json else "\n".join(told(answer)))
