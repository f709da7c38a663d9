"""Architecture: who may import whom, and what a pure module may not touch. Each rule is shown to be able to fail."""

import ast
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]

STAGES = ("ingest", "processors", "sinks")
"""Upstream first: an import points to the left, as data flows to the right."""

OPEN: Mapping[str, Sequence[str]] = {
    "ingest": ("ingest.contract",),
    "processors": ("processors.contract", "processors.stream", "processors.sql"),
    "sinks": ("sinks.contract",),
}
"""What another stage may import of a stage."""

PURE = (
    "ingest/contract",
    "ingest/explain",
    "ingest/form.py",
    "ingest/signature.py",
    "ingest/webhooks",
    "ingest/rejection.py",
    "ingest/spool/rates.py",
    "ingest/spool/segments.py",
    "processors/contract",
    "processors/domain",
    "sinks/acting/catalogue.py",
    "sinks/acting/mistakes.py",
    "sinks/acting/options.py",
    "sinks/acting/bulk/templates.py",
    "sinks/contract",
    "sinks/ledger/breaking.py",
    "sinks/ledger/consents.py",
    "sinks/ledger/entries.py",
    "sinks/ledger/limits.py",
    "sinks/ledger/personal.py",
    "sinks/ledger/resolving.py",
    "sinks/ledger/shown.py",
    "sinks/media/naming.py",
    "sinks/twilio/callbacks.py",
    "sinks/twilio/operations.py",
    "sinks/twilio/requests.py",
    "sinks/twilio/replies.py",
    "sinks/twilio/observations.py",
    "sinks/twilio/shown.py",
    "sinks/twilio/wiring.py",
)
IMPURE = ("ingest/contract/kafka.py", "ingest/contract/environment.py")
"""In pure folders, but made to meet the world: how every stage reads its settings and reaches the broker."""

WORLD = frozenset({
    "aiofiles", "aiohttp", "aiokafka", "aiosqlite", "alembic", "asyncio", "asyncpg", "concurrent", "ctypes", "faust",
    "fcntl", "getpass", "glob", "http.client", "http.server", "httpx", "importlib", "io", "kafka", "locale", "logging",
    "mmap", "mode", "multiprocessing", "numpy.random", "os", "pathlib", "platform", "prometheus_client", "psutil",
    "psycopg", "pydantic_settings", "queue", "random", "requests", "sched", "secrets", "select", "selectors", "shutil",
    "signal", "smtplib", "socket", "socketserver", "sqlalchemy.create_engine", "sqlalchemy.engine", "sqlalchemy.ext",
    "sqlite3", "ssl", "starlette", "structlog", "subprocess", "sys", "tempfile", "threading", "time", "twilio",
    "urllib.request", "urllib3", "uuid", "uvicorn", "uvloop", "websockets",
})  # fmt: skip
"""I/O, clocks, randomness, environment and threads."""

CLOCKS = frozenset({"now", "utcnow", "today"})
BUILTINS = frozenset({"open", "print", "input", "eval", "exec", "breakpoint", "__import__"})

VAGUE = frozenset({
    "base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils",
})  # fmt: skip

OUTSIDE = "../" + "shared"

NOT_OURS = frozenset({
    ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".run", ".venv", "__pycache__", "dist",
    "node_modules", "target",
})  # fmt: skip


# What the rules read.


def files(root: Path, *under: str) -> Iterator[PurePosixPath]:
    """Every file of the repository, or of these folders and files of it, by its path from the root."""
    for place in under or ("",):
        if (root / place).is_file():
            yield PurePosixPath(place)
        for folder, folders, names in os.walk(root / place):
            folders[:] = sorted(set(folders) - NOT_OURS)
            for name in sorted(names):
                yield PurePosixPath((Path(folder) / name).relative_to(root).as_posix())


def modules(root: Path, *under: str) -> Iterator[tuple[PurePosixPath, ast.Module]]:
    for path in files(root, *under):
        if path.suffix == ".py":
            yield path, ast.parse((root / path).read_text(encoding="utf-8"), str(path))


def imports(path: PurePosixPath, tree: ast.Module) -> Iterator[str]:
    """Dotted names of all that a module imports, wherever in it: `from a.b import c` is `a.b.c`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = [*path.parts[: len(path.parts) - level]] if level else []
                yield from (".".join([*package, *filter(None, [module]), alias.name]) for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def within(name: str, places: Sequence[str] | frozenset[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


# The rules: each tells what breaks it, a line for each place.

Rule = Callable[[Path], Sequence[str]]


def stages_import_upstream_and_only_what_is_open(root: Path) -> Sequence[str]:
    found = []
    for index, stage in enumerate(STAGES):
        allowed = [stage, *(name for upstream in STAGES[:index] for name in OPEN[upstream])]
        for path, tree in modules(root, stage):
            found += [
                f"{path} imports {name}"
                for name in imports(path, tree)
                if within(name, STAGES) and not within(name, allowed)
            ]
    return found


def stages_do_not_know_how_they_are_deployed_or_tested(root: Path) -> Sequence[str]:
    return _importing(root, STAGES, ("deploy", "tests", "bench"))


def the_emulator_is_a_witness_and_not_an_echo(root: Path) -> Sequence[str]:
    return _importing(root, ("deploy/emulator",), STAGES)


def end_to_end_tests_see_only_what_a_user_sees(root: Path) -> Sequence[str]:
    return _importing(root, ("tests/e2e",), STAGES)


def pure_modules_do_not_touch_the_world(root: Path) -> Sequence[str]:
    pure, impure = [dotted(path) for path in PURE], [dotted(path) for path in IMPURE]
    found = []
    for path, tree in modules(root, *PURE):
        if str(path) in IMPURE:
            continue
        for name in imports(path, tree):
            of_ours = within(name, STAGES) and (within(name, impure) or not within(name, pure))
            if of_ours or within(name, WORLD):
                found.append(f"{path} imports {name}")
        found += [f"{path} uses {used}" for used in _worldly(tree)]
    return found


def nothing_outside_the_repository_is_mentioned(root: Path) -> Sequence[str]:
    return [f"{path} mentions {OUTSIDE}" for path in files(root) if OUTSIDE.encode() in (root / path).read_bytes()]


def modules_are_called_what_they_are_about(root: Path) -> Sequence[str]:
    found = []
    for path in files(root):
        if path.suffix == ".py":
            found += [f"{path} is called {name}" for name in [*path.parts[:-1], path.stem] if name in VAGUE]
    return found


def _importing(root: Path, places: Sequence[str], forbidden: Sequence[str]) -> Sequence[str]:
    return [
        f"{path} imports {name}"
        for path, tree in modules(root, *places)
        for name in imports(path, tree)
        if within(name, forbidden)
    ]


def _worldly(tree: ast.Module) -> Iterator[str]:
    """Clocks read and files opened without an import that would show it."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="datetime" | "date") | ast.Attribute(attr="datetime" | "date")):
                if node.attr in CLOCKS:
                    yield f"datetime.{node.attr}"
            case ast.Name(id=name, ctx=ast.Load()) if name in BUILTINS:
                yield name


RULES: Sequence[Rule] = (
    stages_import_upstream_and_only_what_is_open,
    stages_do_not_know_how_they_are_deployed_or_tested,
    the_emulator_is_a_witness_and_not_an_echo,
    end_to_end_tests_see_only_what_a_user_sees,
    pure_modules_do_not_touch_the_world,
    nothing_outside_the_repository_is_mentioned,
    modules_are_called_what_they_are_about,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_holds(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


def test_the_places_that_the_rules_speak_of_exist() -> None:
    for place in (*STAGES, *PURE, *IMPURE, *(name.replace(".", "/") for names in OPEN.values() for name in names)):
        assert (ROOT / place).exists(), place


BREACHES: Sequence[tuple[Rule, str, str, str]] = [
    (stages_import_upstream_and_only_what_is_open, *breach)
    for breach in (
        ("ingest/app.py", "import processors.contract.changes", "imports processors.contract.changes"),
        ("ingest/app.py", "from sinks.contract import results", "imports sinks.contract.results"),
        ("processors/app.py", "from sinks.contract.results import Result", "imports sinks.contract.results.Result"),
        ("processors/app.py", "from ingest.door import Door", "imports ingest.door.Door"),
        ("processors/app.py", "from ingest import door", "imports ingest.door"),
        ("processors/app.py", "import ingest", "imports ingest"),
        ("sinks/app.py", "from processors.store.port import Store", "imports processors.store.port.Store"),
        ("sinks/app.py", "from processors.contracts import x", "imports processors.contracts.x"),
        ("sinks/app.py", "from ..processors import advance", "imports processors.advance"),
        ("sinks/app.py", "def f():\n    from processors import domain", "imports processors.domain"),
        ("sinks/app.py", "import_module('processors.domain')", "imports processors.domain"),
        ("sinks/api/app.py", "import importlib\nimportlib.import_module('ingest.app')", "imports ingest.app"),
    )
] + [
    (stages_do_not_know_how_they_are_deployed_or_tested, *breach)
    for breach in (
        ("ingest/app.py", "from deploy.broker import command", "imports deploy.broker.command"),
        ("processors/stream/run.py", "import deploy", "imports deploy"),
        ("sinks/app.py", "from tests.conftest import until", "imports tests.conftest.until"),
    )
] + [
    (the_emulator_is_a_witness_and_not_an_echo, *breach)
    for breach in (
        ("deploy/emulator/app.py", "from ingest.signature import sign", "imports ingest.signature.sign"),
        ("deploy/emulator/app.py", "from ingest.contract import sids", "imports ingest.contract.sids"),
    )
] + [
    (end_to_end_tests_see_only_what_a_user_sees, *breach)
    for breach in (
        ("tests/e2e/test_sms.py", "import sinks.app", "imports sinks.app"),
        ("tests/e2e/seeing/rows.py", "from processors.contract.state import T", "imports processors.contract.state.T"),
    )
] + [
    (pure_modules_do_not_touch_the_world, *breach)
    for breach in (
        ("ingest/contract/codec.py", "import os", "imports os"),
        ("ingest/contract/codec.py", "from os.path import join", "imports os.path.join"),
        ("ingest/signature.py", "from time import time", "imports time.time"),
        ("ingest/rejection.py", "import random", "imports random"),
        ("ingest/webhooks/call.py", "import asyncio", "imports asyncio"),
        ("ingest/contract/events.py", "from ingest.contract.kafka import Kafka", "imports ingest.contract.kafka.Kafka"),
        ("ingest/contract/events.py", "from ingest.contract import environment", "imports ingest.contract.environment"),
        ("processors/domain/fold.py", "from processors.store import port", "imports processors.store.port"),
        ("processors/domain/fold.py", "from urllib.request import urlopen", "imports urllib.request.urlopen"),
        ("processors/contract/state.py", "from sqlalchemy import create_engine", "imports sqlalchemy.create_engine"),
        ("processors/domain/fold.py", "from datetime import datetime\nx = datetime.now()", "uses datetime.now"),
        ("processors/domain/fold.py", "import datetime\nx = datetime.datetime.now(None)", "uses datetime.now"),
        ("processors/domain/fold.py", "from datetime import date\nx = date.today", "uses datetime.today"),
        ("sinks/contract/results.py", "open('x')", "uses open"),
    )
] + [
    (nothing_outside_the_repository_is_mentioned, "Makefile", f"cat {OUTSIDE}/x", f"mentions {OUTSIDE}"),
    (nothing_outside_the_repository_is_mentioned, ".ci/run", f"cat {OUTSIDE}/x", f"mentions {OUTSIDE}"),
    (modules_are_called_what_they_are_about, "sinks/utils.py", "", "is called utils"),
    (modules_are_called_what_they_are_about, "deploy/common/topics.py", "", "is called common"),
    (modules_are_called_what_they_are_about, "tests/helpers.py", "", "is called helpers"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "source", "told"), BREACHES)
def test_a_breach_is_told_with_its_place(rule: Rule, path: str, source: str, told: str, tmp_path: Path) -> None:
    write(tmp_path, path, source)
    assert list(rule(tmp_path)) == [f"{path} {told}"]


LAWFUL: Mapping[str, str] = {
    "ingest/contract/kafka.py": "import ssl\nfrom pathlib import Path",
    "ingest/contract/events.py": "from ingest.contract import sids\nfrom datetime import UTC, datetime",
    "ingest/app.py": "import os, asyncio\nfrom ingest.contract.kafka import Kafka\nimport ingest.door",
    "processors/domain/fold.py": "from processors.contract.changes import Change\nfrom http import HTTPStatus",
    "processors/app.py": "from ingest.contract import topics\nfrom . import advance",
    "sinks/app.py": "from processors.stream.app import create_app\nimport processors.sql\nimport ingest.contract.sids",
    "sinks/timers.py": "import timeit  # its name only begins like a clock's",
    "deploy/topics.py": "from sinks.contract import topics",
    "deploy/emulator/app.py": "from deploy.emulator.lives import calls",
    "tests/sinks/test_app.py": "from sinks.app import create_app",
    ".venv/lib/utils.py": "import os",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_is_allowed_is_not_told(rule: Rule, tmp_path: Path) -> None:
    for path, source in LAWFUL.items():
        write(tmp_path, path, source)
    assert list(rule(tmp_path)) == []


def test_every_rule_has_a_breach_that_shows_it_can_fail() -> None:
    assert {rule for rule, *_ in BREACHES} == set(RULES)


def write(root: Path, path: str, source: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(source, encoding="utf-8")
