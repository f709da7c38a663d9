"""Dashboards and alerts ask for what the stages declare: no name, label or value that no metric has, none forgotten."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ingest import metrics as ingest
from processors import metrics as processors
from processors import sweep
from processors.contract.statuses import RANKS
from processors.domain.statuses import Arrival
from processors.stream import metrics as stream
from sinks import metrics as sinks
from sinks.ledger.entries import OPEN, REFUSALS

DEPLOY = Path(__file__).parents[2] / "deploy"

CATALOGUE: Mapping[str, tuple[str, frozenset[str]]] = {
    name: (kind, frozenset(labels))
    for name, kind, labels, _ in (
        *ingest.CATALOGUE,
        *processors.CATALOGUE,
        *sweep.CATALOGUE,
        *stream.CATALOGUE,
        *sinks.CATALOGUE,
    )
}

NOT_SHOWN: Mapping[str, str] = {
    "switchhook_stream_batches_total": "records a second and the time of a batch say what a reader wants to know of it",
}

VALUES: Mapping[tuple[str, str], frozenset[str]] = {
    ("switchhook_ingest_webhooks_total", "verdict"): frozenset(ingest.VERDICTS),
    ("switchhook_ingest_webhooks_total", "kind"): frozenset(ingest.KINDS),
    ("switchhook_delivery_resources_total", "kind"): frozenset((*RANKS, "participant")),
    ("switchhook_delivery_resources_total", "status"): frozenset(s for ranks in RANKS.values() for s in ranks),
    ("switchhook_delivery_errors_total", "kind"): frozenset((*RANKS, "participant")),
    ("switchhook_processors_statuses_total", "arrival"): frozenset(Arrival),
    ("switchhook_processors_rules_total", "outcome"): frozenset(processors.FIRED),
    ("switchhook_sinks_open", "state"): frozenset(map(str, OPEN)),
    ("switchhook_sinks_refused_total", "reason"): frozenset(REFUSALS),
}

TARGET_LABELS = {"job", "instance"}  # Prometheus puts them on whatever it scrapes
SUFFIXES = ("_bucket", "_sum", "_count")
METRIC = re.compile(r"(?P<read>\b(?:rate|increase)\()?\b(?P<name>switchhook_\w+)(?:\{(?P<selector>[^}]*)\})?")
SELECTOR = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
BY = re.compile(r"\bby \(([^)]*)\)")
SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


class Query(NamedTuple):
    """An expression, and the text in which its labels are shown."""

    where: str
    expression: str
    text: str


def in_dashboard(name: str, dashboard: Mapping[str, Any]) -> Iterator[Query]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(f"{name}: {panel['title']}", target["expr"], target["legendFormat"])


def in_alerts(name: str, alerts: Mapping[str, Any]) -> Iterator[Query]:
    for group in alerts["groups"]:
        for rule in group["rules"]:
            yield Query(f"{name}: {rule['alert']}", rule["expr"], rule["annotations"]["summary"])


def mistakes(query: Query) -> Sequence[str]:
    """What in the query no metric answers."""
    grouped = {label.strip() for found in BY.findall(query.expression) for label in found.split(",")}
    found = [m for match in METRIC.finditer(query.expression) for m in _of_metric(match, grouped)]
    aggregated = re.match(r"(sum|min|max|histogram_quantile)\b", query.expression) is not None
    if aggregated:
        found += [f"shows {label}, which is summed away" for label in SHOWN.findall(query.text) if label not in grouped]
    return found


def _of_metric(match: re.Match[str], grouped: set[str]) -> Iterator[str]:
    name, part = declared_as(match["name"])
    if name not in CATALOGUE:
        yield f"{match['name']} is not declared"
        return
    kind, labels = CATALOGUE[name]
    if (kind == "histogram") != bool(part):
        yield f"{match['name']} is not how a {kind} is read"
    if (kind == "gauge") == bool(match["read"]):
        yield f"{name} is a {kind}: {'has no rate' if kind == 'gauge' else 'only its rate or increase says anything'}"
    known = labels | TARGET_LABELS | ({"le"} if part == "_bucket" else set())
    selected = SELECTOR.findall(match["selector"] or "")
    for label in sorted({*(label for label, _ in selected), *grouped} - known):
        yield f"{name} has no label {label}"
    for label, value in selected:
        for unknown in sorted(set(value.split("|")) - VALUES.get((name, label), {*value.split("|")})):
            yield f"{name} has no {label} {unknown}"


def declared_as(name: str) -> tuple[str, str]:
    """The declared metric, and which part of a histogram it is."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and name.removesuffix(suffix) in CATALOGUE:
            return name.removesuffix(suffix), suffix
    return name, ""


def names(queries: Sequence[Query]) -> set[str]:
    return {declared_as(match["name"])[0] for query in queries for match in METRIC.finditer(query.expression)}


DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (DEPLOY / "grafana/dashboards").glob("*.json")}
ON_DASHBOARDS = [query for name, dashboard in DASHBOARDS.items() for query in in_dashboard(name, dashboard)]
IN_ALERTS = list(in_alerts("alerts.yml", yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())))


def test_there_is_something_to_judge() -> None:
    assert "delivery.json" in DASHBOARDS
    assert len(ON_DASHBOARDS) > 30
    assert len(IN_ALERTS) > 5


@pytest.mark.parametrize("query", [*ON_DASHBOARDS, *IN_ALERTS], ids=lambda query: query.where)
def test_a_query_asks_only_for_what_is_declared(query: Query) -> None:
    assert mistakes(query) == []


def test_every_metric_is_on_a_dashboard_or_is_left_out_for_a_reason() -> None:
    assert set(CATALOGUE) - names(ON_DASHBOARDS) == set(NOT_SHOWN)


@pytest.mark.parametrize(
    "what",
    ["Sent, delivered", "Undelivered by error class", "From accepted to delivered", "Accepted by kind", "verdict",
     "Lag", "Oldest record", "By outcome", "visible state"],
)  # fmt: skip
def test_the_delivery_dashboard_shows_what_an_operator_asks_for(what: str) -> None:
    assert any(what in panel["title"] for panel in DASHBOARDS["delivery.json"]["panels"])


@pytest.mark.parametrize(
    ("expression", "text", "said"),
    [
        ("sum(rate(switchhook_ingest_webhoks_total[5m]))", "", "switchhook_ingest_webhoks_total is not declared"),
        (
            "sum(rate(switchhook_delivery_seconds[5m]))",
            "",
            "switchhook_delivery_seconds is not how a histogram is read",
        ),
        ("sum(rate(switchhook_sinks_actions_total_count[5m]))", "", "switchhook_sinks_actions_total_count is not"),
        ("sum(switchhook_sinks_actions_total)", "", "only its rate or increase says anything"),
        ("sum(rate(switchhook_stream_lag_records[5m]))", "", "has no rate"),
        ('sum(rate(switchhook_ingest_webhooks_total{status="x"}[5m]))', "", "has no label status"),
        ("sum by (kind) (rate(switchhook_sinks_actions_total[5m]))", "{{kind}}", "has no label kind"),
        ("sum by (le) (switchhook_sinks_open)", "", "has no label le"),
        ("sum by (kind) (rate(switchhook_ingest_webhooks_total[5m]))", "{{verdict}}", "shows verdict, which is summed"),
        ("max(switchhook_stream_oldest_seconds) > 60", "{{ $labels.topic }} is old", "shows topic, which is summed"),
        ('sum(rate(switchhook_ingest_webhooks_total{verdict=~"accepted|good"}[5m]))', "", "has no verdict good"),
        ('switchhook_sinks_open{state="lost"} > 0', "", "has no state lost"),
    ],
)
def test_the_check_finds(expression: str, text: str, said: str) -> None:
    found = mistakes(Query("a sample", expression, text))
    assert any(said in mistake for mistake in found), found


def test_a_metric_that_no_panel_asks_for_is_missed() -> None:
    one = "switchhook_sinks_oldest_waiting_seconds"
    assert names(ON_DASHBOARDS) - names([q for q in ON_DASHBOARDS if one not in q.expression]) == {one}


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_panels_have_an_id_and_a_place_of_their_own(dashboard: Mapping[str, Any]) -> None:
    panels = dashboard["panels"]
    places = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24  # Grafana's grid


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_panels_read_the_provisioned_datasource(dashboard: Mapping[str, Any]) -> None:
    provisioned = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    known = {source["uid"]: source["type"] for source in provisioned["datasources"]}
    asked = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    used = {source["uid"]: source["type"] for p in asked for source in (p["datasource"], *map(_source, p["targets"]))}
    assert used == known


def _source(target: Mapping[str, Any]) -> Mapping[str, str]:
    return {"uid": target["datasource"]["uid"], "type": target["datasource"]["type"]}
