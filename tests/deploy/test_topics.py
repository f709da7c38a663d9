"""Topics: what is declared can be told from what is there, and the command makes and compares it on a broker."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from deploy import topics
from deploy.topics import TOPICS, Live, declared, differences
from ingest.contract.topics import EVENT_TOPICS, MESSAGES
from processors.contract.topics import CHANGES
from tests.conftest import Broker, free_port, until

ROOT = Path(__file__).parents[2]

NAMES = {
    "messages", "calls", "recordings", "conferences", "errors", "changes", "actions", "action-results", "dead-letters",
}  # fmt: skip

AS_DECLARED = Live(MESSAGES.partitions, MESSAGES.replication, dict(MESSAGES.config()))


class TestDeclared:
    def test_every_topic_of_every_stage_is_there_once(self) -> None:
        assert [topic.name for topic in TOPICS] == list(dict.fromkeys(topic.name for topic in TOPICS))
        assert {topic.name for topic in TOPICS} == NAMES

    def test_a_cluster_survives_the_loss_of_a_replica(self) -> None:
        for topic in declared("cluster"):
            config = topic.config()
            assert (topic.replication, config["min.insync.replicas"]) == (3, "2")
            assert config["unclean.leader.election.enable"] == "false"

    def test_one_node_holds_one_copy_and_can_write_it(self) -> None:
        for topic in declared("one-node"):
            assert (topic.replication, topic.config()["min.insync.replicas"]) == (1, "1")

    @pytest.mark.parametrize("profile", ["cluster", "one-node"])
    def test_changes_have_a_partition_for_each_of_their_events(self, profile: str) -> None:
        partitions = {topic.name: topic.partitions for topic in declared(profile)}
        assert {partitions[topic.name] for topic in (*EVENT_TOPICS, CHANGES)} == {partitions["messages"]}

    def test_profiles_differ_in_nothing_but_copies_and_partitions(self) -> None:
        whole = [replace(topic, partitions=12, replication=3) for topic in declared("one-node")]
        assert whole == list(declared("cluster"))

    def test_a_topic_is_called_by_the_prefix_of_its_deployment(self) -> None:
        assert MESSAGES.called("acme") == "acme.messages"

    def test_changes_are_compacted_late_enough_for_a_subscriber_who_was_away_for_a_week(self) -> None:
        assert CHANGES.config()["cleanup.policy"] == "compact,delete"
        assert CHANGES.config()["min.compaction.lag.ms"] == str(7 * 24 * 60 * 60 * 1000)


class TestDifferences:
    def test_a_topic_as_declared_has_none(self) -> None:
        assert differences(MESSAGES, AS_DECLARED) == []

    def test_a_missing_topic_says_how_to_make_it(self) -> None:
        assert differences(MESSAGES, None) == ["is missing: run `python -m deploy.topics`"]

    @pytest.mark.parametrize("partitions", [11, 13])
    def test_another_number_of_partitions_is_refused_with_the_reason(self, partitions: int) -> None:
        (told,) = differences(MESSAGES, replace(AS_DECLARED, partitions=partitions))
        assert f"has {partitions} partitions, declared are 12" in told
        assert "cannot be changed in place, since keys would move" in told

    def test_too_few_replicas_are_told_with_what_to_do(self) -> None:
        assert differences(MESSAGES, replace(AS_DECLARED, replication=1)) == [
            "has 1 replicas, declared are 3: reassign its partitions"
        ]

    @pytest.mark.parametrize("name", list(MESSAGES.config()))
    def test_any_other_setting_is_told_with_both_values(self, name: str) -> None:
        live = replace(AS_DECLARED, config={**MESSAGES.config(), name: "7"})
        (told,) = differences(MESSAGES, live)
        assert told == (f"has {name}=7, declared is {MESSAGES.config()[name]}: alter the topic's configuration")

    def test_a_setting_that_nobody_declared_is_the_operators_own(self) -> None:
        live = replace(AS_DECLARED, config={**MESSAGES.config(), "segment.bytes": "1"})
        assert differences(MESSAGES, live) == []

    def test_settings_that_the_broker_does_not_tell_are_not_compared(self) -> None:
        assert differences(MESSAGES, replace(AS_DECLARED, config=None)) == []

    def test_all_differences_are_told_at_once(self) -> None:
        live = Live(1, 1, {**MESSAGES.config(), "retention.ms": "1", "cleanup.policy": "compact"})
        assert len(differences(MESSAGES, live)) == 4


Completed = subprocess.CompletedProcess[str]

ONE_NODE = ("-m", "deploy.topics", "--profile", "one-node")
IMPATIENT = ("-c", "from deploy import topics; topics.BOOTSTRAP_MS = 500; raise SystemExit(topics.main([]))")


def python(bootstrap: str, prefix: str, *arguments: str) -> Completed:
    settings = {"SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "SWITCHHOOK_KAFKA_TOPIC_PREFIX": prefix}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **settings},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def run(broker: Broker, prefix: str, *arguments: str) -> Completed:
    return python(broker.bootstrap, prefix, *ONE_NODE, *arguments)


@pytest.mark.broker
class TestCommand:
    def test_it_creates_all_topics_under_the_prefix_and_the_second_time_none(self, broker: Broker, prefix: str) -> None:
        first = run(broker, prefix)
        assert first.returncode == 0, first.stderr
        assert first.stdout.startswith("created 9 of 9 topics: ")
        asyncio.run(until(lambda: {f"{prefix}.{name}" for name in NAMES} <= existing(broker)))  # the broker tells late
        again = run(broker, prefix)
        assert (again.returncode, again.stdout) == (0, "created 0 of 9 topics\n")

    def test_it_creates_only_what_is_missing(self, broker: Broker, prefix: str) -> None:
        create(broker, f"{prefix}.messages", 4)
        made = run(broker, prefix)
        assert made.stdout.startswith("created 8 of 9 topics: ")
        assert f"{prefix}.messages" not in made.stdout

    def test_check_passes_on_what_was_created(self, broker: Broker, prefix: str) -> None:
        run(broker, prefix)
        checked = run(broker, prefix, "--check")
        assert (checked.returncode, checked.stdout) == (0, "as declared\n")

    def test_check_finds_another_configuration_where_the_broker_tells(self, broker: Broker, prefix: str) -> None:
        create(broker, f"{prefix}.messages", 4)
        run(broker, prefix)
        checked = run(broker, prefix, "--check")
        assert checked.returncode == (1 if broker.tells_configurations else 0)
        untold = f"{prefix}.messages: this broker does not tell topic configurations"
        assert (untold in checked.stdout) is not broker.tells_configurations
        assert (f"{prefix}.messages has max.message.bytes=" in checked.stdout) is broker.tells_configurations

    def test_check_fails_where_a_topic_is_missing_and_creates_nothing(self, broker: Broker, prefix: str) -> None:
        checked = run(broker, prefix, "--check")
        assert checked.returncode == 1
        assert f"{prefix}.calls is missing: run `python -m deploy.topics`" in checked.stdout
        assert checked.stdout.endswith("9 differences\n")
        assert not any(name.startswith(f"{prefix}.") for name in existing(broker))

    def test_check_fails_on_another_number_of_partitions_with_the_reason(self, broker: Broker, prefix: str) -> None:
        create(broker, f"{prefix}.messages", 3)
        run(broker, prefix)
        checked = run(broker, prefix, "--check")
        assert checked.returncode == 1
        assert f"{prefix}.messages has 3 partitions, declared are 4: this cannot be changed in place" in checked.stdout
        assert checked.stdout.endswith(f"{2 if broker.tells_configurations else 1} differences\n")


class TestMistakes:
    def test_a_broker_that_cannot_be_reached_is_named_with_what_to_do(self, prefix: str) -> None:
        address = f"127.0.0.1:{free_port()}"
        told = python(address, prefix, *IMPATIENT)
        assert (told.returncode, told.stdout) == (2, "")
        assert address in told.stderr
        assert "see that it runs, that SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS names it" in told.stderr
        assert "Traceback" not in told.stderr

    def test_wrong_settings_are_named_and_no_password_is_shown(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SWITCHHOOK_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        monkeypatch.setenv("SWITCHHOOK_KAFKA_SASL_PASSWORD", "hunter2")
        assert topics.main([]) == 2
        told = capsys.readouterr().err
        assert "SWITCHHOOK_KAFKA_SASL_USERNAME" in told
        assert "hunter2" not in told


def existing(broker: Broker) -> set[str]:
    admin = KafkaAdminClient(**broker.kafka().admin_options())
    try:
        return set(admin.list_topics())
    finally:
        admin.close()


def create(broker: Broker, name: str, partitions: int) -> None:
    admin = KafkaAdminClient(**broker.kafka().admin_options())
    try:
        admin.create_topics([NewTopic(name, partitions, 1)])
    finally:
        admin.close()
