"""The reckoning finds what is lost, doubled or different: each mistake is made on purpose, and named."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from deploy.dev.reckoning import Reckoning, quantiles, reckon, total
from deploy.dev.watching import Seen
from processors.contract.actions import CreateMessage
from sinks.contract.results import Outcome, Result

ACCOUNT, SID, RE = "AC" + "1" * 32, "SM" + "2" * 32, "RE" + "3" * 32
ASK = CreateMessage(id="ask", account_sid=ACCOUNT, ordering_key="k", to="+12025550100", from_="+15005550006", body="x")
METRICS = {"ingest": "", "processors": "", "actions": ""}


class Case:
    """One message that was asked for, made, delivered, and is known."""

    def __init__(self) -> None:
        shown = {
            "sid": SID, "status": "delivered", "error_code": None, "direction": "outbound-api", "correlation": "ask",
            "body": "x",
        }  # fmt: skip
        counts = {"made": 2, "2xx": 2}
        self.truth: dict[str, Any] = {
            "messages": [shown],
            "calls": [], "recordings": [], "conferences": [], "participants": [],
            "correlations": {"ask": {"effects": 1, "sids": [SID]}},
            "callbacks": {
                "by_kind": {"message-status": counts},
                "total": {"403": 0, "other": 0},
                "forged": {"total": 3, "by_way": {}},
                "forged_outcomes": {"403": 3},
            },
            "lost": [],
        }  # fmt: skip
        self.seen = Seen(webhooks={"message-status": {"a", "b"}}, asked={"ask": ASK}, results={"ask": result("done")})
        self.state: dict[str, dict[str, Any]] = {SID: {**shown, "kind": "message", "key": SID}}

    def reckon(self) -> Reckoning:
        return reckon(self.truth, self.seen, self.state, METRICS)


def result(outcome: str) -> Result:
    return Result(
        action_id="ask", action_type="messages.create", account_sid=ACCOUNT, outcome=Outcome(outcome),
        at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def test_where_all_is_right_nothing_differs() -> None:
    found = Case().reckon()
    assert found.differences == []
    assert (found.rows[0].equal, found.rows[0].existing, found.outcomes["done"], found.forged) == (1, 1, 1, 3)


def two_effects(case: Case) -> None:
    case.truth["correlations"]["ask"]["effects"] = 2


def no_effect(case: Case) -> None:
    case.truth["correlations"] = {}


def unasked(case: Case) -> None:
    case.truth["correlations"]["other"] = {"effects": 1, "sids": [SID]}


def lost(case: Case) -> None:
    case.truth["lost"] = [{"kind": "message-status", "sid": SID, "what": "sent"}]


def unpublished(case: Case) -> None:
    case.seen.webhooks["message-status"] = {"a"}


def published_too_often(case: Case) -> None:
    case.seen.webhooks["message-status"] = {"a", "b", "c"}


def other_status(case: Case) -> None:
    case.state[SID]["status"] = "sent"


def other_origin(case: Case) -> None:
    case.state[SID]["correlation"] = "somebody"


def unknown_row(case: Case) -> None:
    case.state[RE] = {"kind": "recording", "key": RE, "error_code": None}


def missing_row(case: Case) -> None:
    del case.state[SID]


def forged_accepted(case: Case) -> None:
    case.truth["callbacks"]["forged_outcomes"] = {"2xx": 1, "403": 2}


def forged_in_state(case: Case) -> None:
    case.state[SID]["error_code"] = 66666


def dead_letter(case: Case) -> None:
    case.seen.records["dead-letters"] = 1


def no_result(case: Case) -> None:
    case.seen.results.clear()


def refused(case: Case) -> None:
    case.seen.results["ask"] = result("refused")


def unknown_with_effect(case: Case) -> None:
    case.seen.results["ask"] = result("unknown")


MISTAKES: Mapping[Callable[[Case], None], str] = {
    two_effects: "action ask: 2 effects",
    no_effect: "done without effect",
    unasked: "has an effect and was not asked for",
    lost: "never accepted",
    unpublished: "2 callbacks were accepted, 1 events are in the topic",
    published_too_often: "2 callbacks were accepted, 3 events are in the topic",
    other_status: "'status': 'sent'",
    other_origin: "'correlation': 'somebody'",
    unknown_row: "resources that do not exist",
    missing_row: "the state has None",
    forged_accepted: "forged callbacks were accepted",
    forged_in_state: "a forged callback reached the state",
    dead_letter: "in the dead letters",
    no_result: "asked for, and no result",
    refused: "refused with",
    unknown_with_effect: "unknown, although callbacks showed its effect",
}


@pytest.mark.parametrize(("mistake", "said"), MISTAKES.items(), ids=[each.__name__ for each in MISTAKES])
def test_every_mistake_is_found_and_named(mistake: Callable[[Case], None], said: str) -> None:
    case = deepcopy(Case())
    mistake(case)
    assert any(said in difference for difference in case.reckon().differences)


def test_an_unknown_outcome_is_listed_and_no_difference() -> None:
    case = Case()
    case.seen.results["ask"] = result("unknown")
    no_effect(case)
    case.truth["messages"], case.truth["callbacks"]["by_kind"], case.state = [], {}, {}
    case.seen.webhooks.clear()
    found = case.reckon()
    assert (found.differences, found.outcomes["unknown"]) == ([], 1)


def test_quantiles_are_interpolated_over_all_labels() -> None:
    scrape = "# TYPE x histogram\n" + "".join(
        f'x_bucket{{kind="{kind}",le="{le}"}} {count}\n'
        for kind in ("a", "b")
        for le, count in (("1.0", 50), ("2.0", 100), ("+Inf", 100))
    )
    assert quantiles(scrape, "x") == {"p50": pytest.approx(1.0), "p99": pytest.approx(1.98)}
    assert quantiles("", "x") == {"p50": 0.0, "p99": 0.0}
    assert total(scrape, "x_bucket", kind="a", le="2.0") == 100
