"""The truth as plain HTML pages for people: what there is of each kind, a page at a time, everything escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from deploy.emulator.errors import Json

SIZE = 100
STYLE = "body{font:14px sans-serif}td,th{padding:2px 8px;text-align:left;border-bottom:1px solid #ddd}"


def page(truth: Json, of: str, number: int) -> str:
    """The `number`-th page (from 1) of one kind; of the first kind, when there is none of that name."""
    kinds = tables(truth)
    of = of if of in kinds else next(iter(kinds))
    rows = kinds[of]
    last = max(1, -(-len(rows) // SIZE))
    number = min(max(number, 1), last)
    links = " · ".join(_link(kind, 1, f"{kind} ({len(kinds[kind])})") for kind in kinds)
    turns = [_link(of, at, text) for at, text in ((number - 1, "newer"), (number + 1, "older")) if 1 <= at <= last]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(of)}</title><style>{STYLE}</style>"
        f"<p>{links}<h1>{escape(of)}</h1><p>Page {number} of {last}. {' '.join(turns)}"
        f"{_table(rows[(number - 1) * SIZE : number * SIZE])}</html>"
    )


def tables(truth: Json) -> Mapping[str, Sequence[Json]]:
    """Rows by kind, newest resources first. Of what has no rows of its own, one is made of each name."""
    resources = {name: list(reversed(rows)) for name, rows in truth.items() if isinstance(rows, list)}
    callbacks = [{"kind": kind, **counts} for kind, counts in truth["callbacks"]["by_kind"].items()]
    effects = [{"correlation": name, **found} for name, found in truth["correlations"].items()]
    dropped = [{"why": why, "sid": sid} for why, sids in truth["dropped"].items() for sid in sids]
    counted = {**truth["rest"], "event streams": truth["event_streams"]}
    counts = [
        {"what": what, "which": which, "count": count}
        for what, found in counted.items()
        for which, count in found.items()
    ]
    return {"callbacks": callbacks, "correlations": effects, **resources, "dropped": dropped, "counts": counts}


def _table(rows: Sequence[Json]) -> str:
    if not rows:
        return "<p>None."
    head = "".join(f"<th>{escape(name)}" for name in rows[0])
    lines = ("".join(f"<td>{escape(_cell(row.get(name)))}" for name in rows[0]) for row in rows)
    return f"<table><tr>{head}{''.join(f'<tr>{line}' for line in lines)}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _link(of: str, number: int, text: str) -> str:
    return f'<a href="?{escape(urlencode({"of": of, "page": number}))}">{escape(text)}</a>'
