"""Dashboards and alerts name only metrics and labels that a stage declares, and no declared metric is forgotten."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest import metrics as ingest
from processors import metrics as processors
from processors.stream import metrics as stream
from sinks import metrics as sinks

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy/grafana/dashboards/delivery.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yml"

Catalogue = Mapping[str, tuple[str, frozenset[str]]]

# What Prometheus adds to every series, and what a histogram's buckets have.
GIVEN = frozenset({"job", "instance"})
NOT_SHOWN: Mapping[str, str] = {
    "switchhook_stream_batches_total": "records and the time of a batch say the same",
}


def declared() -> Catalogue:
    rows: list[tuple[str, str, Sequence[str]]] = [(d.name, d.type, d.labels) for d in ingest.CATALOGUE]
    rows += [(name, kind, labels) for name, kind, labels, _ in processors.CATALOGUE]
    rows += [(name, kind, labels) for name, kind, labels, _ in stream.CATALOGUE]
    rows += [(name, kind, labels) for name, kind, labels, _ in sinks.CATALOGUE]
    return {name: (kind, frozenset(labels)) for name, kind, labels in rows}


def names(expression: str) -> set[str]:
    return set(re.findall(r"\bswitchhook_[a-z_]+", expression))


def family(name: str, catalogue: Catalogue) -> str | None:
    """The declared metric that a series belongs to."""
    if name in catalogue and catalogue[name][0] != "histogram":
        return name
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if base != name and catalogue.get(base, ("",))[0] == "histogram" else None


def labels_used(expression: str) -> set[str]:
    """Labels in `by (…)` and in `{…}` of an expression."""
    grouped = re.findall(r"\bby \(([^)]*)\)", expression)
    selected = re.findall(r"\{([^}]*)\}", expression)
    matchers = [re.split(r"[=!]", part)[0] for each in selected for part in re.sub(r'"[^"]*"', "", each).split(",")]
    return {label.strip() for each in grouped for label in each.split(",")} | {m.strip() for m in matchers}


def mistakes(expressions: Sequence[str], catalogue: Catalogue) -> list[str]:
    found = []
    for expression in expressions:
        known = {name: family(name, catalogue) for name in names(expression)}
        found += [f"{name} is not declared" for name, base in known.items() if base is None]
        bases = [base for base in known.values() if base is not None]
        allowed = GIVEN.union(*(catalogue[base][1] for base in bases)) if bases else GIVEN
        if any(catalogue[base][0] == "histogram" for base in bases):
            allowed |= {"le"}
        found += [f"{label} is no label in: {expression}" for label in labels_used(expression) - allowed if label]
    return sorted(found)


def forgotten(expressions: Sequence[str], catalogue: Catalogue) -> set[str]:
    shown = {family(name, catalogue) for expression in expressions for name in names(expression)}
    return set(catalogue) - shown - set(NOT_SHOWN)


def expressions_of(document: Any) -> Iterator[str]:
    """Every `expr` in it, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "expr":
                yield value
            else:
                yield from expressions_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from expressions_of(value)


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def test_the_dashboard_and_the_alerts_name_only_what_is_declared() -> None:
    shown = list(expressions_of(dashboard()))
    alerts = list(expressions_of(yaml.safe_load(ALERTS.read_text())))
    assert len(shown) > 20
    assert len(alerts) > 5
    assert mistakes([*shown, *alerts], declared()) == []


def test_every_declared_metric_is_shown_or_said_to_be_left_out() -> None:
    assert forgotten(list(expressions_of(dashboard())), declared()) == set()
    assert set(NOT_SHOWN) <= set(declared())


@pytest.mark.parametrize(
    "what",
    ["Sent, delivered", "Undelivered by error class", "From accepted to delivered", "Accepted by kind", "verdict",
     "Lag", "Oldest record", "By outcome", "visible state"],
)  # fmt: skip
def test_the_dashboard_shows_what_an_operator_asks_for(what: str) -> None:
    assert any(what in panel["title"] for panel in dashboard()["panels"])


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


SMALL: Catalogue = {
    "switchhook_a_total": ("counter", frozenset({"kind"})),
    "switchhook_b_seconds": ("histogram", frozenset()),
}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(switchhook_c_total[1m])", "switchhook_c_total is not declared"),
        ("switchhook_b_seconds", "switchhook_b_seconds is not declared"),
        ("switchhook_a_total_bucket", "switchhook_a_total_bucket is not declared"),
        ("sum by (colour) (switchhook_a_total)", "colour is no label"),
        ('switchhook_a_total{kind="x",colour!="y,z"}', "colour is no label"),
    ],
)
def test_a_wrong_name_or_label_is_found(expression: str, said: str) -> None:
    [found] = mistakes([expression], SMALL)
    assert said in found


def test_a_right_expression_is_let_be_and_a_forgotten_metric_found() -> None:
    right = 'sum by (kind, job) (rate(switchhook_a_total{kind=~"a|b"}[1m]))'
    assert mistakes([right, "histogram_quantile(0.5, sum by (le) (switchhook_b_seconds_bucket))"], SMALL) == []
    assert forgotten([right], SMALL) == {"switchhook_b_seconds"}
