"""A running emulator, the official SDK in front of it, and a receiver of its callbacks behind it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import yaml
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.conftest import free_port, until, wait_for_port

ROOT = Path(__file__).parents[3]
ACCOUNT, TOKEN = "AC" + "e" * 32, "0123456789abcdef0123456789abcdef"
SENDER, SOMEBODY = "+15005550006", "+15552223333"
SPEED = "200"
# Nobody hangs up by himself, everybody answers: what ends a call or a conference is what a test does.
PATIENT: Mapping[str, Any] = {
    "chances": {
        "calls": {"completed": 1},
        "messages": {"delivered": 1},
        "call_seconds": [20_000, 20_000],
        "participant_seconds": [20_000, 20_000],
    }
}
# What the provider sends for a date: RFC 2822 in GMT.
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000")

Json = dict[str, Any]


@dataclass(frozen=True)
class Received:
    """One callback as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, str]:
        encoded = urlsplit(self.target).query if self.method == "GET" else self.body
        return dict(parse_qsl(encoded, keep_blank_values=True))

    def verified(self, base: str) -> bool:
        """What the official SDK says of its signature."""
        signature = self.headers.get("x-twilio-signature")
        if signature is None:
            return False
        validator = RequestValidator(TOKEN)  # type: ignore[no-untyped-call]
        params = {} if self.method == "GET" else self.params
        return bool(validator.validate(base + self.target, params, signature))  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Answer:
    """`cut` closes the connection instead, `stall` does not answer before the receiver closes."""

    status: int = 204
    body: str = ""
    kind: str | None = None  # its content type
    cut: bool = False
    stall: bool = False


@dataclass
class Receiver:
    """An HTTP server that keeps what it receives. `answers` are given once each, in order, by path; then 204."""

    port: int = field(default_factory=free_port)
    requests: list[Received] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return self.base + path

    def at(self, path: str) -> list[Received]:
        return [each for each in self.requests if each.path == path]

    def by(self, path: str, name: str) -> dict[str, Received]:
        """What was received at a path by the value of a parameter, which no two share. Its order says nothing."""
        found = {each.params[name]: each for each in self.at(path)}
        assert len(found) == len(self.at(path)), f"two callbacks with the same {name}"
        return found

    @contextmanager
    def listening(self) -> Iterator["Receiver"]:
        server = _Server(("127.0.0.1", self.port), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    # The emulator opens dozens of connections at once; with the default of five, some of a burst are reset.
    request_queue_size = 128


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5
        disable_nagle_algorithm = True  # an answer is written in two parts; the second would wait for an ACK

        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.command, self.path, headers, body)
            waiting = receiver.answers[received.path]
            answer = waiting.pop(0) if waiting else Answer()
            receiver.requests.append(received)
            if answer.stall:
                receiver.closing.wait(30)
            if answer.cut or answer.stall:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("content-length", str(len(answer.body.encode())))
            if answer.kind:
                self.send_header("content-type", answer.kind)
            self.end_headers()
            self.wfile.write(answer.body.encode())

        do_GET = do_POST = take  # the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: what arrives is in `requests`."""

    return Handler


@dataclass
class Emulator:
    """A process of the emulator and its HTTP client, without the SDK's help."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def truth(self) -> Json:
        answer = self.http.get("/emulator/truth")
        assert answer.status_code == 200
        found: Json = answer.json()
        return found

    def quiet(self) -> bool:
        found: bool = self.http.get("/emulator/quiet").json()["quiet"]
        return found

    async def rest(self) -> Json:
        """The truth once nothing is due any more."""
        await until(self.quiet)
        return self.truth()

    def shown(self, kind: str, sid: str) -> Json:
        """One resource of the truth."""
        key = "call_sid" if kind == "participants" else "sid"
        (found,) = (each for each in self.truth()[kind] if each[key] == sid)
        return dict(found)

    @contextmanager
    def sdk(self, token: str = TOKEN, timeout: float = 10) -> Iterator[Client]:
        """The official client, as its own documentation has it pointed at another server."""
        http = TwilioHttpClient(timeout=timeout)
        assert http.session is not None
        http.session.trust_env = False
        http.session.mount("http://", HTTPAdapter(max_retries=0))
        bare = {"nothing": "of this machine's environment"}
        client = Client(ACCOUNT, token, http_client=http, environment=bare)  # type: ignore[no-untyped-call]
        client.api.base_url = self.base
        try:
            yield client
        finally:
            http.session.close()


@contextmanager
def emulating(
    folder: Path,
    plan: Mapping[str, Any] | None = None,
    *,
    seed: int = 1,
    speed: str = SPEED,
    routes: Mapping[str, str] | None = None,
) -> Iterator[Emulator]:
    """The emulator as it is run, until the end of the block; then its exit must be a clean one."""
    port, log = free_port(), folder / "emulator.log"
    pace = ["--virtual"] if speed == "virtual" else ["--speed", speed]
    options = ["--port", str(port), "--account-sid", ACCOUNT, "--seed", str(seed), *pace]
    if plan is not None:
        (folder / "plan.yaml").write_text(yaml.safe_dump(dict(plan)))
        options += ["--faults", str(folder / "plan.yaml")]
    options += [part for public, local in (routes or {}).items() for part in ("--route", f"{public}={local}")]
    with log.open("wb") as told:
        command = [sys.executable, "-m", "deploy.emulator", *options]
        environment = {**os.environ, "EMULATOR_AUTH_TOKEN": TOKEN}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=told, stderr=told)
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=(ACCOUNT, TOKEN), trust_env=False)
    try:
        wait_for_port(port, process, log)
        with http:
            yield Emulator(port, process, log, http)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
        assert "Traceback" not in log.read_text(), "the emulator itself failed"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as made:
        yield made


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One without faults for all tests of a module; they tell their resources apart by SID."""
    with emulating(tmp_path_factory.mktemp("emulator"), PATIENT) as made:
        yield made


@pytest.fixture
def twilio(emulator: Emulator) -> Iterator[Client]:
    with emulator.sdk() as client:
        yield client
