"""Both loops closed on purpose, in the one-thread world: rules whose effect is again what they wait for."""

import pytest

from processors.contract.actions import depth
from processors.domain.rulebook import write_down
from processors.domain.rules import parse_rules
from sinks.ledger.entries import State
from tests.histories.voice import OURS
from tests.pipeline.world import World

ALSO_OURS = "+15559990000"
ECHO = write_down(
    parse_rules(
        """
rules:
  - name: echo
    when: {kind: message, status: received, keyword: INFO, attributes: {opt_out_type: none}}
    then: [{action: messages.create, with: {to: "{from}", from: "{to}", body: "INFO"}}]
"""
    )
)
AGAIN = write_down(
    parse_rules(
        """
rules:
  - name: again
    when: {kind: message, status: [undelivered, failed, sent, delivered]}
    then: [{action: messages.create, with: {to: "{to}", from: "{from}", body: "{body}"}}]
"""
    )
)


@pytest.mark.parametrize("seed", range(5))
def test_a_loop_through_inbound_messages_ends_at_the_cap_of_the_recipient(seed: int) -> None:
    cap = 10
    world = World(seed, ECHO, cap=cap)
    world.provider.ours = frozenset({OURS, ALSO_OURS})
    world.provider.receive(ALSO_OURS, OURS, "INFO")
    world.run()
    entries = world.ledger.entries.values()
    reached = [entry.action for entry in entries if entry.state in (State.DONE, State.UNKNOWN)]
    for number in (OURS, ALSO_OURS):
        assert sum(getattr(action, "to", None) == number for action in reached) <= cap
    assert world.provider.effects.total() <= 2 * cap
    # An action that a crash left without effect ends the loop before the cap does.
    ends = [entry for entry in entries if entry.reason == "capped" or entry.state is State.UNKNOWN]
    assert len(ends) == 1, "the loop ran until something ended it"


@pytest.mark.parametrize("seed", range(5))
def test_a_loop_through_an_outbound_message_ends_at_the_depth_of_its_rule(seed: int) -> None:
    world = World(seed, AGAIN)
    provider = world.provider
    key = provider.message(None)
    provider.say(provider.shown(key, unsolicited=True))
    world.run()
    asked = [entry.action for entry in world.ledger.entries.values() if entry.action.rule is not None]
    assert [depth(action.id) for action in asked] == [1], "a rule answers what people made, not what it made itself"
