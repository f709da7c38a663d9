"""The examples of the document on actions: its blocks of code, by the heading that they stand under."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

DOCUMENT = Path(__file__).parents[3] / "docs" / "actions.md"
ACT = "python -m sinks act "

_BLOCK = re.compile(r"^```(\S.*?)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_SID = re.compile(r"[A-Z]{2}…\w*")
# A command ends where a shell has it end; none of ours has these within quotes.
_COMMAND = re.compile(re.escape(ACT) + r"((?:'[^']*'|\"[^\"]*\"|[^|;)\n'\"])*)")


class Block(NamedTuple):
    """`kind` is what stands after the fence: `sh`, `json record`, `yaml rule`."""

    kind: str
    text: str

    def named(self, sids: Mapping[str, str]) -> str:
        """Its text with the SIDs that it names: `CA…live` is one of `sids`, `CA…` is any."""
        return _SID.sub(lambda found: sids.get(found[0], found[0]), self.text)


@dataclass(frozen=True)
class Example:
    chapter: str
    title: str
    blocks: Sequence[Block]

    def of(self, kind: str) -> Sequence[Block]:
        return [block for block in self.blocks if block.kind == kind]


def examples(text: str) -> Iterator[Example]:
    chapter = ""
    for part in re.split(r"^(?=##)", text, flags=re.MULTILINE):
        heading, _, rest = part.partition("\n")
        if heading.startswith("## "):
            chapter = heading[3:]
        elif heading.startswith("### "):
            yield Example(chapter, heading[4:], [Block(*found) for found in _BLOCK.findall(rest)])


def completed(text: str, found: Sequence[str]) -> str:
    """A text that says no more than how something begins: the first of what was found that does."""

    def whole(beginning: re.Match[str]) -> str:
        return next((each for each in found if each.startswith(beginning[1])), beginning[0])

    return re.sub(r"([A-Z+][A-Z0-9]*)…", whole, text)


def commands(text: str) -> Sequence[Sequence[str]]:
    """The arguments of every command of ours in a block of shell."""
    return [shlex.split(found) for found in _COMMAND.findall(text.replace("\\\n", " "))]


def agrees(shown: Any, there: Any) -> bool:
    """Whether what is shown is a part of what is there; `…` is anything, and at the end of a list any more."""
    if isinstance(shown, Mapping):
        return isinstance(there, Mapping) and all(name in there and agrees(shown[name], there[name]) for name in shown)
    if isinstance(shown, list):
        if not isinstance(there, list):
            return False
        some = shown[:-1] if shown[-1:] == ["…"] else shown
        return (len(some) < len(there) if some != shown else len(some) == len(there)) and all(map(agrees, some, there))
    if isinstance(shown, str) and "…" in shown:
        return isinstance(there, str) and re.fullmatch(".*".join(map(re.escape, shown.split("…"))), there) is not None
    return bool(shown == there)


def parsed(block: Block, sids: Mapping[str, str], found: Sequence[str]) -> Any:
    """A block of JSON, with what it names, and where it asks for something, with what was found before."""
    text = block.named(sids)
    return json.loads(completed(text, found) if block.kind in ("json record", "json event") else text)
