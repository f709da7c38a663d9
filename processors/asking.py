"""Asking: is a rules file right, what would it do, and what is known of one resource and why."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from processors.domain.rules import InvalidRules
from processors.settings import load_rules

Command = Callable[[argparse.Namespace], int]


def add_rules(parser: argparse.ArgumentParser) -> Command:
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="name every problem of a rules file").add_argument("file", type=Path)
    return lambda chosen: check(chosen.file)


def add_why(parser: argparse.ArgumentParser) -> Command:
    parser.add_argument("sid")
    return lambda chosen: 2


def check(path: Path) -> int:
    try:
        found = load_rules(path)
    except InvalidRules as error:
        print("\n".join(map(str, error.problems)), file=sys.stderr)
        return 2
    print(f"{len(found.rules)} rules are valid: {', '.join(rule.name for rule in found.rules)}")
    return 0
