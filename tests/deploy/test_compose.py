"""Image, compose file and Prometheus agree with the code: settings, ports, commands, paths. No engine is needed."""

import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from ingest.contract.kafka import Kafka
from ingest.settings import Settings as IngestSettings
from processors.settings import Settings as ProcessorsSettings
from sinks.settings import MetricsSettings
from sinks.settings import Settings as ActionsSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy/compose.yaml"
DOCKERFILE = ROOT / "deploy/Dockerfile"
PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yml"

Json = dict[str, Any]

# Service → its command's settings, and the variable of its port.
STAGES: Mapping[str, tuple[type[BaseSettings], str]] = {
    "ingest": (IngestSettings, "SWITCHHOOK_INGEST_PORT"),
    "processors": (ProcessorsSettings, "SWITCHHOOK_PROCESSORS_PORT"),
    "sinks-actions": (ActionsSettings, "SWITCHHOOK_SINKS_PORT"),
    "sinks-metrics": (MetricsSettings, "SWITCHHOOK_SINKS_METRICS_PORT"),
}


def compose() -> Json:
    loaded: Json = yaml.safe_load(COMPOSE.read_text())
    return loaded


def variables(model: type[BaseSettings]) -> dict[str, bool]:
    """Variable → whether it is required."""
    prefix = str(model.model_config.get("env_prefix", ""))
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name}".upper(): (
            field.is_required()
        )
        for name, field in model.model_fields.items()
    }


def mistakes(document: Json, prometheus: Json) -> Iterator[str]:
    services = document["services"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]}
    for name, (model, port_variable) in STAGES.items():
        service = services[name]
        given: Mapping[str, str] = service["environment"]
        known = variables(model)
        for variable in given:
            if variable not in known and variable not in variables(Kafka):
                yield f"{name}: {variable} is no setting of its command"
        for variable, required in known.items():
            if required and variable not in given:
                yield f"{name}: {variable} is required and not given"
        port = given.get(port_variable) or str(model.model_fields["port"].default)
        if service["ports"] != [f"127.0.0.1:{port}:{port}"]:
            yield f"{name}: publishes {service['ports']}, its port is {port}"
        if f"http://127.0.0.1:{port}/health/ready" not in " ".join(service["healthcheck"]["test"]):
            yield f"{name}: its health check asks another port than {port}"
        if targets.get(name) != [f"{name}:{port}"]:
            yield f"{name}: Prometheus asks {targets.get(name)}, its port is {port}"
        yield from _paths(name, service, document)
        yield from _reachable(name, given, document)
    for name, service in services.items():
        for published in service.get("ports", ()):
            if not published.startswith("127.0.0.1:"):
                yield f"{name}: {published} is open to more than this machine"


def _paths(name: str, service: Json, document: Json) -> Iterator[str]:
    """Every path in a setting is mounted."""
    mounted = [f"/run/secrets/{secret}" for secret in service.get("secrets", ())]
    mounted += [config["target"] for config in service.get("configs", ())]
    mounted += [volume.split(":")[1] for volume in service.get("volumes", ())]
    for variable, value in service["environment"].items():
        path = re.search(r"(?:^|:///)(/[^$]+)$", value)
        if path and not any(path[1] == each or path[1].startswith(f"{each}/") for each in mounted):
            yield f"{name}: {variable} names {path[1]}, which is not mounted"
    for secret in service.get("secrets", ()):
        if secret not in document["secrets"]:
            yield f"{name}: there is no secret {secret}"
    for volume in service.get("volumes", ()):
        if volume.split(":")[0] not in document["volumes"]:
            yield f"{name}: there is no volume {volume}"


def _reachable(name: str, given: Mapping[str, str], document: Json) -> Iterator[str]:
    host, _, port = given["SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS"].partition(":")
    listeners = document["services"].get(host, {}).get("environment", {}).get("KAFKA_ADVERTISED_LISTENERS", "")
    if f"{host}:{port}" not in {listener.partition("://")[2] for listener in listeners.split(",")}:
        yield f"{name}: nobody listens as {host}:{port}"
    if any(variable.endswith("_HOST") and value != "0.0.0.0" for variable, value in given.items()):
        yield f"{name}: does not listen to the other services"


def test_compose_and_prometheus_agree_with_the_code() -> None:
    assert list(mistakes(compose(), yaml.safe_load(PROMETHEUS.read_text()))) == []


# Another test may have imported the module.
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("service", [*STAGES, "topics"])
def test_every_command_exists(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python, dash_m, module, *arguments = compose()["services"][service]["command"]
    assert (python, dash_m) == ("python", "-m")
    words = [word for word in arguments if not word.startswith("-") and word != "one-node"]

    def code_of(*asked: str) -> object:
        monkeypatch.setattr(sys, "argv", [module, *asked])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")  # what `python -m` does
        return ended.value.code

    assert code_of("--help") == 0
    said = capsys.readouterr().out
    for word in (*words, *(each for each in arguments if each.startswith("--"))):
        assert word in said
    assert code_of(*words, "--help") == 0


def test_every_stage_waits_for_its_topics_and_restarts() -> None:
    services = compose()["services"]
    for name in STAGES:
        assert services[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"
        assert services[name]["restart"] == "unless-stopped"
        assert services[name]["cap_drop"] == ["ALL"]


def test_what_the_operator_must_decide_is_asked_for_and_explained() -> None:
    text, told = COMPOSE.read_text(), (ROOT / "deploy/README.md").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+):\?set it in deploy/\.env", text))
    assert asked
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) == asked, "nothing is guessed"
    assert all(f"{variable}=" in told for variable in asked)


def test_grafana_gets_a_data_source_and_a_dashboard_that_use_each_other() -> None:
    services = compose()["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"] if volume.startswith("./"))
    provisioning = ROOT / "deploy/grafana/provisioning"
    [provider] = yaml.safe_load((provisioning / "dashboards/dashboards.yaml").read_text())["providers"]
    assert provider["options"]["path"] == mounts["./grafana/dashboards"]
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services
    used = set(re.findall(r'"type": "prometheus",\s*"uid": "(\w+)"', _dashboard()))
    assert used == {source["uid"]}
    for here in mounts:
        assert (ROOT / "deploy" / here).is_dir()


def _dashboard() -> str:
    return (ROOT / "deploy/grafana/dashboards/delivery.json").read_text()


def test_prometheus_reads_the_alerts_beside_it() -> None:
    for name in yaml.safe_load(PROMETHEUS.read_text())["rule_files"]:
        assert (PROMETHEUS.parent / name).is_file()


def test_the_image_is_made_of_what_is_there_and_runs_as_nobody_special() -> None:
    text = DOCKERFILE.read_text()
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert path in allowed
    assert re.search(r"^USER (?!root)\w+", text, re.MULTILINE)
    assert "--require-hashes" in text
    for name in (*STAGES, "topics"):
        command = " ".join(each for each in compose()["services"][name]["command"] if not each.startswith("--"))
        assert command.removesuffix(" one-node") in text


def wrong_port(document: Json) -> None:
    document["services"]["ingest"]["environment"]["SWITCHHOOK_INGEST_PORT"] = "9999"


def unknown_setting(document: Json) -> None:
    document["services"]["processors"]["environment"]["SWITCHHOOK_PROCESSORS_COLOUR"] = "red"


def missing_setting(document: Json) -> None:
    del document["services"]["processors"]["environment"]["SWITCHHOOK_PROCESSORS_HASH_KEY"]


def open_port(document: Json) -> None:
    document["services"]["grafana"]["ports"] = ["3000:3000"]


def lost_volume(document: Json) -> None:
    document["services"]["sinks-actions"]["volumes"] = []


def other_broker(document: Json) -> None:
    document["services"]["ingest"]["environment"]["SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS"] = "kafka:1"


def closed_door(document: Json) -> None:
    document["services"]["ingest"]["environment"]["SWITCHHOOK_INGEST_HOST"] = "127.0.0.1"


MISTAKES: Mapping[Callable[[Json], None], str] = {
    wrong_port: "its port is 9999",
    unknown_setting: "SWITCHHOOK_PROCESSORS_COLOUR is no setting",
    missing_setting: "SWITCHHOOK_PROCESSORS_HASH_KEY is required",
    open_port: "open to more than this machine",
    lost_volume: "which is not mounted",
    other_broker: "nobody listens as kafka:1",
    closed_door: "does not listen to the other services",
}


@pytest.mark.parametrize(("mistake", "said"), MISTAKES.items(), ids=[each.__name__ for each in MISTAKES])
def test_every_kind_of_mistake_is_found(mistake: Callable[[Json], None], said: str) -> None:
    document = deepcopy(compose())
    mistake(document)
    assert any(said in each for each in mistakes(document, yaml.safe_load(PROMETHEUS.read_text())))
