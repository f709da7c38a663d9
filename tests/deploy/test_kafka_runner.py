"""The Apache Kafka runner: what is missing is said, nothing is fetched or formatted twice, and data outlives a stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.kafka.run import CannotRun, fetch, kafka_version, prepare, properties
from ingest.contract.kafka import Kafka
from tests.conftest import free_port, wait_for_port

ROOT = Path(__file__).parents[2]
JAR = f"kafka_2.13-{kafka_version()}.jar"

# Stand-ins: each writes down that it was called, then does what the real one would have left on disk.
JAVA = (
    '#!/bin/sh\necho "$@" >> "$CALLS"\n[ "$FAIL" = java ] && exit 1\n'
    'mkdir -p "$DATA" && touch "$DATA/meta.properties"\n'
)
MVN = (
    '#!/bin/sh\necho "$@" >> "$CALLS"\n'
    'for a in "$@"; do case "$a" in -DoutputDirectory=*) out="${a#*=}";; esac; done\n'
    'mkdir -p "$out" && touch "$out/half.jar"\n[ "$FAIL" = mvn ] && exit 1\n'
    f'touch "$out/{JAR}"\n'
)


class Machine:
    """A PATH with only what the test put on it, and what was called there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin, self.libs, self.dir = folder / "bin", folder / "cache" / "libs", folder / "node"
        self._calls = folder / "calls"
        self._monkeypatch = monkeypatch
        self.bin.mkdir()
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", f"{self.bin}:/usr/bin:/bin")
        monkeypatch.setenv("CALLS", str(self._calls))
        monkeypatch.setenv("DATA", str(self.dir / "data"))
        monkeypatch.setenv("FAIL", "")

    def has(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def has_nothing_else(self) -> None:
        self._monkeypatch.setenv("PATH", str(self.bin))

    def fails_at(self, name: str) -> None:
        self._monkeypatch.setenv("FAIL", name)

    def calls(self, containing: str) -> int:
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return sum(containing in line for line in lines)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, monkeypatch)
    made.has("java", JAVA)
    made.has("mvn", MVN)
    return made


def test_without_java_it_says_what_to_install(machine: Machine) -> None:
    (machine.bin / "java").unlink()
    machine.has_nothing_else()
    with pytest.raises(CannotRun, match="java is not on the PATH: install Java 17"):
        prepare(machine.dir, machine.libs, 9092)


def test_without_maven_it_says_what_to_install(machine: Machine) -> None:
    (machine.bin / "mvn").unlink()
    machine.has_nothing_else()
    with pytest.raises(CannotRun, match="mvn is not on the PATH: install Maven"):
        prepare(machine.dir, machine.libs, 9092)


def test_maven_is_not_needed_once_the_jars_are_there(machine: Machine) -> None:
    prepare(machine.dir, machine.libs, 9092)
    (machine.bin / "mvn").unlink()
    machine.has_nothing_else()
    fetch(machine.libs)


def test_a_fetch_that_failed_leaves_nothing_that_the_next_would_take_for_whole(machine: Machine) -> None:
    machine.fails_at("mvn")
    with pytest.raises(CannotRun, match="could not fetch"):
        prepare(machine.dir, machine.libs, 9092)
    assert list(machine.libs.parent.iterdir()) == []
    machine.fails_at("nothing")
    fetch(machine.libs)
    assert (machine.libs / JAR).exists()


def test_jars_of_another_version_are_left_alone_and_named(machine: Machine) -> None:
    machine.libs.mkdir(parents=True)
    (machine.libs / "kafka_2.13-3.9.0.jar").touch()
    with pytest.raises(CannotRun, match=f"holds no Kafka {kafka_version()}: remove it"):
        fetch(machine.libs)
    assert [path.name for path in machine.libs.iterdir()] == ["kafka_2.13-3.9.0.jar"]


def test_storage_is_formatted_once(machine: Machine) -> None:
    first = prepare(machine.dir, machine.libs, 9092)
    again = prepare(machine.dir, machine.libs, 9092)
    assert machine.calls("StorageTool format") == 1
    assert first == again
    assert first[-2:] == ["kafka.Kafka", str(machine.dir / "server.properties")]


def test_storage_that_could_not_be_formatted_is_no_node(machine: Machine) -> None:
    machine.fails_at("java")
    with pytest.raises(CannotRun, match="could not be formatted"):
        prepare(machine.dir, machine.libs, 9092)


def test_the_node_listens_on_loopback_only() -> None:
    told = properties(9092, 9093, Path("data"))
    addresses = [told["listeners"], told["advertised.listeners"], told["controller.quorum.voters"]]
    assert all("127.0.0.1" in address and "0.0.0.0" not in address for address in addresses)


def test_the_command_says_it_on_standard_error_and_exits_2(machine: Machine) -> None:
    (machine.bin / "java").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "deploy.kafka.run", "--dir", str(machine.dir), "--libs", str(machine.libs)],
        cwd=ROOT,
        env={**os.environ, "PATH": str(machine.bin)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Kafka cannot run: java is not on the PATH")


@pytest.mark.kafka
def test_topics_outlive_a_stop_and_a_kill(tmp_path: Path) -> None:
    for number, end in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGTERM)):
        port, log = free_port(), tmp_path / f"log{number}"
        command = [sys.executable, "-m", "deploy.kafka.run", "--port", str(port), "--dir", str(tmp_path / "node")]
        with log.open("wb") as output:
            node = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            wait_for_port(port, node, log)
            admin = KafkaAdminClient(**Kafka(bootstrap_servers=f"127.0.0.1:{port}").admin_options())
            assert sorted(admin.list_topics()) == [f"t{before}" for before in range(number)]
            admin.create_topics([NewTopic(f"t{number}", 1, 1)])
            admin.close()
        finally:
            node.send_signal(end)
            node.wait(30)
