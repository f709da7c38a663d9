"""Reading: the words of a command become an action, or every mistake in them at once. The id is an argument."""

import argparse
import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, cast

import orjson
from pydantic import ValidationError

from ingest.contract.times import read_rfc3339
from processors.contract.actions import MODELS, Action, ListForTopic
from processors.contract.ordering import ordering_key
from sinks.acting.catalogue import like
from sinks.acting.mistakes import TIME, Mistaken, told
from sinks.acting.options import Kind, Option, options

PROGRAM = "python -m sinks act"
WAIT = 60.0

_ORDERED = (
    "else the SID of what it is about, or a keyed hash of sender and recipient as rules make it (with "
    "SWITCHHOOK_PROCESSORS_HASH_KEY), or the id"
)


ReadFile = Callable[[str], str]
"""The text of a path. Raises OSError, UnicodeDecodeError."""


class Whom(NamedTuple):
    """For whom is asked: SIDs by every name of an account; the one that is meant where none is named; and the brain's
    key for hashes, where it is known."""

    accounts: Mapping[str, str]
    default: str | None
    hash_key: bytes | None


class Parser(argparse.ArgumentParser):
    """One that does not exit. Raises Mistaken."""

    def __init__(self, prog: str, description: str, *, add_help: bool = True) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=add_help,
        )

    def error(self, message: str) -> NoReturn:
        hint = "; one that begins with a dash is written --option=VALUE" if "expected one argument" in message else ""
        said = message.partition(" value: ")[0]  # what follows is the value
        raise Mistaken([said.removeprefix("argument ") + hint])


def parser(action_type: str) -> Parser:
    every = options(action_type)
    made = Parser(f"{PROGRAM} {action_type}", inspect.cleandoc(MODELS[action_type].__doc__ or ""))
    needed = [f"{each.flags[0]} {'|'.join(each.choices) or each.metavar}" for each in every if each.is_required]
    made.usage = " ".join([made.prog, *needed, "[options]"])
    add_parameters(made, every)
    asking = made.add_argument_group("asking for it")
    asking.add_argument("--id", help="the same id twice is the same action; else a random one")
    add_account(asking)
    asking.add_argument("--ordering-key", metavar="KEY", help=_ORDERED)
    asking.add_argument("--file", metavar="FILE", help="an action as JSON, as its record has it; `-` is standard input")
    asking.add_argument("--dry-run", action="store_true", help="only print the record that would be published")
    waiting = add_waiting(made, WAIT)
    waiting.add_argument("--reveal", action="store_true", help="show numbers, names and words")
    return made


def add_parameters(made: argparse.ArgumentParser, every: Sequence[Option]) -> None:
    groups = {
        is_required: made.add_argument_group("required" if is_required else "parameters")
        for is_required in sorted({option.is_required for option in every}, reverse=True)
    }
    for option in every:
        say: dict[str, Any] = {"dest": _dest(option.field), "help": option.help.replace("%", "%%"), "default": None}
        if option.kind is Kind.SWITCH:
            say["action"] = argparse.BooleanOptionalAction
        else:
            say["metavar"] = "|".join(option.choices) or option.metavar
            if option.kind in (Kind.MANY, Kind.PAIRS):
                say["action"] = "append"
        groups[option.is_required].add_argument(*option.flags, **say)


def add_account(asking: argparse._ArgumentGroup) -> None:
    asking.add_argument("--account", metavar="AC…", help="SID or alias; else the only one, or SWITCHHOOK_SINKS_ACCOUNT")


def add_waiting(made: argparse.ArgumentParser, seconds: float | None) -> argparse._ArgumentGroup:
    waiting = made.add_argument_group("what came of it")
    default = "without end" if seconds is None else f"else {seconds:g}"
    waiting.add_argument("--wait", type=float, default=seconds, metavar="SECONDS", help=f"for the outcome; {default}")
    waiting.add_argument("--no-wait", action="store_true", help="only print the id")
    waiting.add_argument("--json", action="store_true")
    return waiting


def read(words: Sequence[str], whom: Whom, new_id: str, read_file: ReadFile) -> tuple[Action, argparse.Namespace]:
    """What is asked for, and how. Raises Mistaken."""
    named = words[0] if words and not words[0].startswith("-") else None
    rest = list(words if named is None else words[1:])
    document = _document(rest, read_file)
    action_type = named or document.get("type")
    if action_type is None:
        raise Mistaken(["no action is named: `act TYPE --option VALUE`, or a `--file` that says its type"])
    if action_type not in MODELS:
        raise Mistaken([f"there is no action {action_type!r}: {like(str(action_type))}"])
    if document.get("type", action_type) != action_type:
        raise Mistaken([f"--file: is of another type than {action_type}"])
    made = parser(action_type)
    chosen, unknown = made.parse_known_args(rest)
    given, mistakes = given_of(chosen, options(action_type))
    mistakes += unknown_of(unknown, made)
    return asked(action_type, {**document, **given}, chosen, whom, new_id, mistakes), chosen


def given_of(chosen: argparse.Namespace, every: Sequence[Option]) -> tuple[dict[str, Any], list[str]]:
    """The parameters that were given, by field; and what is wrong with how they were."""
    given: dict[str, Any] = {}
    mistakes: list[str] = []
    for option in every:
        value = getattr(chosen, _dest(option.field))
        if value is None:
            continue
        if option.kind is Kind.PAIRS:
            if not all("=" in each for each in value):
                mistakes.append(f"{option.flags[0]}: is written KEY=VALUE")
                continue
            value = dict(each.split("=", 1) for each in value)
        elif option.kind is Kind.TIME and not _is_time(value):
            mistakes.append(f"{option.flags[0]}: {TIME}")
            continue
        given[option.field] = value
    return given, mistakes


def unknown_of(words: Sequence[str], made: argparse.ArgumentParser) -> list[str]:
    known = [name for name in made._option_string_actions if name.startswith("--")]
    mistakes: list[str] = []
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("-"):
            near = difflib.get_close_matches(name, known, n=1)
            mistakes.append(f"{name}: there is no such option{f', perhaps {near[0]}' if near else ''}")
    return mistakes or (["there is a value without an option before it"] if words else [])


def asked(
    action_type: str,
    document: Mapping[str, Any],
    chosen: argparse.Namespace,
    whom: Whom,
    new_id: str,
    mistakes: list[str],
) -> Action:
    """The action. Raises Mistaken with these mistakes and its own."""
    model = MODELS[action_type]
    whole = {"sids": True, **document} if issubclass(model, ListForTopic) else dict(document)
    whole |= {name: value for name in ("id", "ordering_key") if (value := getattr(chosen, name, None)) is not None}
    whole.setdefault("id", new_id)
    whole["type"] = action_type
    if chosen.account is not None or "account_sid" not in whole:
        try:
            whole["account_sid"] = account(chosen.account, whom)
        except ValueError as error:
            mistakes = [*mistakes, f"--account: {error}"]
            whole["account_sid"] = _NOBODY
    whole.setdefault("ordering_key", key(whole, whom.hash_key))
    try:
        action = model.model_validate(whole)
    except ValidationError as error:
        mistakes = [*mistakes, *told(error)]
    if mistakes:
        raise Mistaken(mistakes)
    return cast(Action, action)


_NOBODY = "AC" + "0" * 32


def account(name: str | None, whom: Whom) -> str:
    """Its SID. Raises ValueError, whose text names no account."""
    if name is None:
        if whom.default is None:
            raise ValueError("is required: its SID or alias")
        return whom.default
    if name in whom.accounts:
        return whom.accounts[name]
    if name.startswith("AC") and len(name) == len(_NOBODY):
        return name
    known = ", ".join(alias for alias, sid in whom.accounts.items() if alias != sid)
    raise ValueError(f"is a SID or one of {known}" if known else "is a SID")


def key(document: Mapping[str, Any], hash_key: bytes | None) -> str:
    """As rules make it; without their key for hashes, what is about nothing that has a SID is ordered by itself."""
    otherwise = str(document["id"])
    if hash_key is None:
        return ordering_key({name: value for name, value in document.items() if name != "to"}, otherwise, b"")
    return ordering_key(document, otherwise, hash_key)


def _document(words: Sequence[str], read_file: ReadFile) -> Mapping[str, Any]:
    """What the file says that the words name; nothing where they name none. Raises Mistaken."""
    early = Parser(PROGRAM, "", add_help=False)
    early.add_argument("--file")
    path = early.parse_known_args(words)[0].file
    if path is None:
        return {}
    try:
        document = orjson.loads(read_file(path))
    except OSError as error:
        raise Mistaken([f"--file: cannot be read: {error.strerror}"]) from None
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        raise Mistaken(["--file: is no JSON"]) from None
    if not isinstance(document, dict) or not isinstance(document.get("type", ""), str):
        raise Mistaken(["--file: is one action, a JSON object"])
    return document


def _is_time(value: str) -> bool:
    try:
        read_rfc3339(value)
    except (ValueError, OverflowError):
        return False
    return len(value) > len("2026-12-01T")


def _dest(field: str) -> str:
    return f"parameter_{field}"
