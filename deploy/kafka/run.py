"""One Apache Kafka node in the foreground, on loopback: `python -m deploy.kafka.run --port 9092 --dir DIR`.

What it holds stays in DIR, so it can be stopped and started again. Needs Java 17; the first time also Maven.
"""

import argparse
import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
LIBS = Path(__file__).parents[2] / ".run" / "kafka" / "libs"


class CannotRun(Exception):
    """What is missing, and what to do about it."""


def properties(port: int, controller_port: int, data: Path) -> Mapping[str, str]:
    """The node's configuration, https://kafka.apache.org/documentation/#brokerconfigs: one copy of everything."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def fetch(libs: Path) -> None:
    """Puts Kafka's jars into that folder, unless they are there. Raises CannotRun."""
    version = kafka_version()
    if (libs / f"kafka_2.13-{version}.jar").exists():
        return
    if libs.exists():
        raise CannotRun(f"{libs} is there, but holds no Kafka {version}: remove it, or name another folder with --libs")
    mvn = shutil.which("mvn")
    if mvn is None:
        raise CannotRun("mvn is not on the PATH: install Maven, which fetches Kafka's jars (apt-get install maven)")
    libs.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libs.parent) as part:  # a fetch that breaks off leaves no half of a folder
        whole = Path(part) / "libs"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={whole}"]
        command = [mvn, "--quiet", "--batch-mode", "-Dstyle.color=never", "--file", str(POM), *goal]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        if done.returncode:
            raise CannotRun("Maven could not fetch Kafka's jars; what it says is above")
        if not libs.exists():  # somebody else may have been first
            whole.rename(libs)


def kafka_version() -> str:
    found = re.search(r"<kafka\.version>([^<]+)<", POM.read_text(encoding="utf-8"))
    assert found is not None, f"{POM} names no kafka.version"
    return found[1]


def prepare(folder: Path, libs: Path, port: int) -> list[str]:
    """The command that is the node, its storage formatted. Raises CannotRun."""
    java = _java()
    fetch(libs)
    data, configuration = folder / "data", folder / "server.properties"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}={value}" for name, value in properties(port, _free_port(), data).items()]
    configuration.write_text("\n".join([*lines, ""]), encoding="utf-8")
    base = [
        java, "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.statusLoggerLevel=off",
        "-cp", f"{libs}/*",
    ]  # fmt: skip
    if not (data / "meta.properties").exists():
        # A fixed first byte: the tool would take an id that begins with a dash for an option.
        cluster = base64.urlsafe_b64encode(b"K" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        formatting = [*base, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(configuration)]
        done = subprocess.run(formatting, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        if done.returncode:
            raise CannotRun(f"storage in {data} could not be formatted; what Kafka says is above")
    return [*base, "kafka.Kafka", str(configuration)]


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if found is None:
        raise CannotRun("java is not on the PATH: install Java 17 (apt-get install openjdk-17-jre-headless)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka.run", description=__doc__)
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--dir", type=Path, required=True, help="where the node keeps its data")
    parser.add_argument("--libs", type=Path, default=LIBS, help="where Kafka's jars are, or are put")
    chosen = parser.parse_args(arguments)
    try:
        command = prepare(chosen.dir.resolve(), chosen.libs.resolve(), chosen.port)
    except CannotRun as error:
        parser.exit(2, f"Kafka cannot run: {error}\n")
    os.execv(command[0], command)  # noqa: S606  # this process becomes the broker, so its signals are the broker's


if __name__ == "__main__":
    main()
