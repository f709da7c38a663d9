"""Callbacks that are never made: of ends, and of whole resources. The truth says whose."""

from dataclasses import replace

import pytest
from hypothesis import given

from deploy.emulator.faults import TERMINAL, CallbackFaults, CallbackVerdict, Drop, Plan, callback_verdict
from tests.deploy.emulator.conftest import Receiver, emulating
from tests.deploy.emulator.test_faults import DELIVERED, ORDINALS, SEEDS, SIDS, WILD, plan, send


@given(seed=SEEDS, sid=SIDS, ordinal=ORDINALS)
def test_a_share_of_ends_and_of_resources_is_dropped_and_moves_no_other_verdict(
    seed: int, sid: str, ordinal: int
) -> None:
    def verdict(what: str, **odds: float) -> CallbackVerdict:
        made = replace(WILD, callbacks=replace(WILD.callbacks, **odds))  # type: ignore[arg-type]  # probabilities
        return callback_verdict(made, seed, "call-status", sid, ordinal, what)

    for what in ("ringing", "completed"):
        plain = verdict(what)
        assert plain.drop in (None, Drop.ANY)
        assert verdict(what, drop_terminal=0.5).drop in (plain.drop, Drop.TERMINAL)
        assert verdict(what, drop_terminal=1) == replace(
            plain, drop=Drop.TERMINAL if what == "completed" else plain.drop
        )
        assert verdict(what, drop_terminal=1, drop_resource=1) == replace(plain, drop=Drop.RESOURCE)


def test_of_a_resource_that_is_dropped_nothing_is_ever_said() -> None:
    made = Plan(callbacks=CallbackFaults(drop_resource=0.3))
    sids = [f"SM{n}" for n in range(1000)]
    fates = {
        sid: {
            callback_verdict(made, 1, kind, sid, ordinal, "sent").drop
            for kind in ("message-status", "call-status")
            for ordinal in range(1, 4)
        }
        for sid in sids
    }
    assert all(len(fate) == 1 for fate in fates.values()), "all of it or nothing"
    assert abs(sum(fate == {Drop.RESOURCE} for fate in fates.values()) / len(sids) - 0.3) < 0.05


@pytest.mark.parametrize("kind", TERMINAL)
def test_only_what_tells_of_an_end_is_an_end(kind: str) -> None:
    made = Plan(callbacks=CallbackFaults(drop_terminal=1))
    assert all(callback_verdict(made, 1, kind, "X", 1, what).drop is Drop.TERMINAL for what in TERMINAL[kind])
    for what in ("sent", "in-progress", "participant-leave", "conference-start", "amd"):
        assert callback_verdict(made, 1, kind, "X", 1, what).drop is None


async def test_the_truth_tells_whose_end_and_who_altogether_was_never_told_of(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    faults = plan(callbacks={"drop_terminal": 0.4, "drop_resource": 0.2})
    told = []
    for seed in (5, 5, 6):
        receiver.requests.clear()
        folder = tmp_path_factory.mktemp("dropped")
        with emulating(folder, faults, seed=seed) as emulator, emulator.sdk() as client:
            sids = {send(client, receiver.url("/status"), DELIVERED) for _ in range(30)}
            truth = await emulator.rest()
            told.append(truth["dropped"])
            heard: dict[str, set[str]] = {sid: set() for sid in sids}
            for each in receiver.requests:
                heard[each.params["MessageSid"]].add(each.params["MessageStatus"])
            assert {sid for sid, what in heard.items() if not what} == set(truth["dropped"]["resource"])
            assert {sid for sid, what in heard.items() if what == {"sent"}} == set(truth["dropped"]["terminal"])
            assert {sid for sid, what in heard.items() if what == {"sent", "delivered"}}
            assert truth["dropped"]["any"] == []
            assert {each["sid"] for each in truth["lost"]} == {
                *truth["dropped"]["resource"],
                *truth["dropped"]["terminal"],
            }
            assert {message["status"] for message in truth["messages"]} == {"delivered"}, "they happened all the same"
    assert told[0] == told[1] != told[2]
    assert all(told[0][why] for why in ("resource", "terminal"))
