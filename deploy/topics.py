"""Topics: `python -m deploy.topics` creates what the stages declare; `--check` compares a live cluster with it."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kafka.admin import (
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    NewTopic,
)
from kafka.errors import KafkaError, TopicAlreadyExistsError

from ingest.contract import environment
from ingest.contract import topics as ingest
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.topics import Topic
from processors.contract import topics as processors
from sinks.contract import topics as sinks

TOPICS: Sequence[Topic] = (*ingest.TOPICS, *processors.TOPICS, *sinks.TOPICS)

BOOTSTRAP_MS = 10_000
"""How long a broker has to answer for the first time."""


@dataclass(frozen=True, slots=True)
class Live:
    """A topic as the cluster has it. `config` is None where the broker does not tell."""

    partitions: int
    replication: int
    config: Mapping[str, str] | None


def declared(profile: str) -> Sequence[Topic]:
    """What should exist. One node holds one copy and needs few partitions."""
    if profile == "one-node":
        return [replace(topic, replication=1, partitions=4) for topic in TOPICS]
    return TOPICS


def differences(topic: Topic, live: Live | None) -> Sequence[str]:
    """What is not as declared, each with what to do about it."""
    if live is None:
        return ["is missing: run `python -m deploy.topics`"]
    found = []
    if live.partitions != topic.partitions:
        found.append(
            f"has {live.partitions} partitions, declared are {topic.partitions}: this cannot be changed in place, "
            "since keys would move to other partitions and changes would part from their events; make a new topic"
        )
    if live.replication != topic.replication:
        found.append(f"has {live.replication} replicas, declared are {topic.replication}: reassign its partitions")
    for name, value in topic.config().items():
        if live.config is not None and live.config.get(name) != value:
            found.append(f"has {name}={live.config.get(name)}, declared is {value}: alter the topic's configuration")
    return found


def create(admin: KafkaAdminClient, prefix: str, topics: Sequence[Topic]) -> Sequence[str]:
    """Creates those that are missing and says which."""
    wanted_topics = {topic.called(prefix): topic for topic in topics}
    existing = set(admin.list_topics())
    made = []
    for name, topic in wanted_topics.items():
        if name in existing:
            continue
        wanted = NewTopic(name, topic.partitions, topic.replication, topic_configs=dict(topic.config()))
        try:
            admin.create_topics([wanted])
        except TopicAlreadyExistsError:
            continue
        made.append(name)
    return sorted(made)


def look(admin: KafkaAdminClient, names: Sequence[str]) -> Mapping[str, Live]:
    existing = sorted(set(names) & set(admin.list_topics()))
    configs = {name: _config(admin, name) for name in existing}
    return {
        found["name"]: Live(
            len(found["partitions"]), len(found["partitions"][0]["replica_nodes"]), configs[found["name"]]
        )
        for found in (admin.describe_topics(existing) if existing else [])
    }


def _config(admin: KafkaAdminClient, name: str) -> Mapping[str, str] | None:
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all")
    told: dict[str, str] = described.get("topic", {}).get(name) or {}
    return {key: str(value.get("value") if isinstance(value, dict) else value) for key, value in told.items()} or None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.topics", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 on any difference")
    parser.add_argument("--profile", choices=("cluster", "one-node"), default="cluster")
    chosen = parser.parse_args(arguments)
    mistakes: list[str] = []
    kafka = environment.read(Kafka, mistakes)
    if kafka is None or mistakes:
        print(InvalidSettings(mistakes).told("topics"), file=sys.stderr)
        return 2
    try:
        return _connected(kafka, declared(chosen.profile), chosen.check)
    except KafkaError as error:
        print(
            f"the broker at {kafka.bootstrap_servers} did not do it ({type(error).__name__}): see that it runs, that "
            "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS names it, and that it lets us in",
            file=sys.stderr,
        )
        return 2


def _connected(kafka: Kafka, topics: Sequence[Topic], check: bool) -> int:
    admin = KafkaAdminClient(**kafka.admin_options(), bootstrap_timeout_ms=BOOTSTRAP_MS)
    try:
        return _run(admin, kafka.topic_prefix, topics, check)
    finally:
        admin.close()


def _run(admin: KafkaAdminClient, prefix: str, topics: Sequence[Topic], check: bool) -> int:
    if not check:
        made = create(admin, prefix, topics)
        print(f"created {len(made)} of {len(topics)} topics" + (f": {', '.join(made)}" if made else ""))
        return 0
    live = look(admin, [topic.called(prefix) for topic in topics])
    wrong = 0
    for topic in topics:
        name = topic.called(prefix)
        for difference in differences(topic, live.get(name)):
            wrong += 1
            print(f"{name} {difference}")
        if name in live and live[name].config is None:
            print(f"{name}: this broker does not tell topic configurations, so they were not compared")
    print(f"{wrong} differences" if wrong else "as declared")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
