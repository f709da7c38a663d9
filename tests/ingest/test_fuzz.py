"""Whatever is thrown at the front door: an answer of the table, never a traceback, never a hang.

Raw bytes on real sockets against the real process. A request that is rightly signed is held, whatever it says.
20,000 of them, in `make proof` 200,000; a failure prints the request that made it.
"""

import asyncio
import hashlib
import random
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from ingest.contract.routes import ROUTES
from ingest.rejection import STATUS
from ingest.signature import Key, sign
from tests.conftest import free_port
from tests.ingest.conftest import ACCOUNT, BASE, FORM, TOKEN
from tests.ingest.test_limits import port_of
from tests.ingest.test_serving import serving

pytestmark = pytest.mark.long
KEY = Key(TOKEN)
CONNECTIONS, SECONDS = 16, 20.0
ANSWERS = {200, 204, 431, *STATUS.values()} - {503}
HELD = {200, 204}
FAULTS = 'verdict="fault"} '

NAMES = ("MessageSid", "MessageStatus", "CallSid", "CallStatus", "From", "To", "Body", "NumMedia", "SequenceNumber",
         "Timestamp", "ErrorCode", "RecordingSid", "RecordingStatus", "ConferenceSid", "StatusCallbackEvent", "Payload",
         "TranscriptionSid", "TranscriptionEvent", "AnsweredBy", "MediaUrl0", "Muted", "OptOutType", "Sid", "é", "",
         "AccountSid", "a b", "x" * 300)  # fmt: skip
VALUES = ("", "0", "-1", "99999999999999999999", "1e9", "true", "sent", "SM" + "a" * 32, "CA" + "b" * 32,
          "RE" + "c" * 32, "CF" + "d" * 32, "GT" + "e" * 32, "+15552223333", "é😀\u2028", "\x00\x01", "<&>\"'", "%41",
          "Wed, 20 Apr 2022 23:45:25 +0000", "Wed, 99 Apr 2022", "9999-12-31T23:59:59-12:00", "{}", '{"a":', "[" * 500,
          '{"resource_sid":7,"error_code":"x"}', "x" * 5000, "\ufffd", " ", "\r\n",
          "nan", "participant-join",
          '{"resource_sid":' + "[" * 1000 + "]" * 1000 + "}")  # fmt: skip
JSONS = (b"", b"null", b"[]", b"{}", b"[" * 2000, b'"text"', b"\xff\xfe", b"[1,2,{}]", b'{"type":1,"data":"{"}',
         b'{"type":"com.twilio.messaging.message.sent","data":{"messageSid":1,"a":{}}}',
         b'{"type":"com.twilio.voice.status-callback.call.x","data":{"request":{"parameters":[1]}}}',
         b'{"type":"com.twilio.x","source":"CA%s","id":null,"data":{"a":null}}' % (b"a" * 32),
         b'{"type":"com.twilio.error-logs.error.logged","data":{"payload":{"a":1},"timestamp":"9"}}',
         b"[" * 300 + b"]" * 300, b'{"type":"x","data":' + b'{"a":' * 300 + b"1" + b"}" * 301,
         b"[" + b"1," * 900 + b"1]",
         b"[" + b"{}," * 3000 + b"{}]")  # fmt: skip

Made = tuple[bytes, set[int]]
"""The bytes of a request, and the statuses that may answer it; none: the door may just hang up."""


def made(chance: random.Random) -> Made:
    kinds = (signed_form, signed_form, signed_json, signed_bytes, doubled, forged, mutated, garbage)
    return chance.choice(kinds)(chance)


def signed_form(chance: random.Random) -> Made:
    """Rightly signed, saying anything at all: it is held, as an event or as a dead letter."""
    route = chance.choice([route for route in ROUTES.values() if not route.is_json])
    form = [("AccountSid", ACCOUNT), *drawn(chance)]
    chance.shuffle(form)
    while next(value for name, value in form if name == "AccountSid" and value) != ACCOUNT:
        chance.shuffle(form)
    target = route.path + chance.choice(("", "?action=abc-d1", "?action=%00&action=2", "?a=%2b+", "?" + "q" * 100))
    if chance.random() < 0.2 and "GET" in route.methods:
        target += ("&" if "?" in target else "?") + urlencode(form)
        if len(target) > 12_000:
            return signed_form(chance)
        return http("GET", target, {"X-Twilio-Signature": sign(BASE + target, [], KEY)}, b""), HELD
    body = urlencode(form, quote_via=chance.choice((quote, lambda text, *_: quote(text, safe="")))).encode()
    headers = {"X-Twilio-Signature": sign(BASE + target, form, KEY), "Content-Type": FORM}
    return http("POST", target, headers, body), HELD if len(body) <= 65_536 else {413}


def signed_bytes(chance: random.Random) -> Made:
    """Rightly signed over what a lenient reader would make of it, and not UTF-8 or badly escaped: no guess is made."""
    broken = chance.choice((b"%", b"%zz=%", b"a=%ff", b"\xff=1", b"Body=%e2%82", b"=&=&;", b"%00=%01", b"a=1&" * 1001))
    body = b"AccountSid=" + ACCOUNT.encode() + b"&" + broken
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    path = ROUTES["message-status"].path
    headers = {"X-Twilio-Signature": sign(BASE + path, form, KEY), "Content-Type": FORM}
    return http("POST", path, headers, body), {*HELD, 400, 403}


def doubled(chance: random.Random) -> Made:
    """Headers that are said twice: the first counts, and two lengths are no request."""
    data, allowed = signed_form(chance)
    name = chance.choice(("X-Twilio-Signature", "Content-Type", "Host", "Content-Length", "X-Forwarded-Host", "X-A"))
    value = chance.choice(("", "x", "7", "text/plain", "a" * 200))
    head, end, body = data.partition(b"Connection: close\r\n")
    again = head + f"{name}: {value}\r\n".encode() + end + body
    if name == "Content-Length":
        return again, set()  # refused before its body is read, so that the answer may be lost with the connection
    return again, {*allowed, 400} if name in ("Content-Type", "Host", "X-Twilio-Signature") else allowed


def signed_json(chance: random.Random) -> Made:
    body = chance.choice(JSONS) if chance.random() < 0.8 else chance.randbytes(chance.randint(0, 300))
    target = f"{ROUTES['event-streams'].path}/{ACCOUNT}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"X-Twilio-Signature": sign(BASE + target, [], KEY), "Content-Type": "application/json"}
    return http("POST", target, headers, body), HELD


def forged(chance: random.Random) -> Made:
    """Well formed and not signed by us: refused."""
    path = chance.choice(
        [*(route.path for route in ROUTES.values()), "/webhooks/nothing", f"/webhooks/event-streams/{ACCOUNT}"]
    )
    body = urlencode(drawn(chance)).encode()
    headers = {
        "Content-Type": chance.choice(
            (FORM, FORM, "text/plain", "application/json", "", "é", FORM + "; charset=latin-1")
        ),
        "X-Twilio-Signature": chance.choice(("", "x", "é" * 40, "a" * 3000, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    }
    method = chance.choice(("POST", "POST", "GET", "PUT", "DELETE", "OPTIONS"))
    return http(method, path, headers, body), {400, 403, 404, 405, 413, 415}


def mutated(chance: random.Random) -> Made:
    """A right request with some bytes changed: any answer of the table, or none that is HTTP."""
    data = bytearray(signed_form(chance)[0])
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(data))
        data[at : at + chance.choice((0, 1, 1, 8))] = chance.choice(
            (b"", b"\xff", b"%", b"%zz", b"\r\n", b"\x00", b"&" * 1500)
        )
    return bytes(data), set()


def garbage(chance: random.Random) -> Made:
    begin = chance.choice(
        (b"", b"GET ", b"POST /webhooks/messages/status HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    )
    return begin + chance.randbytes(chance.randint(1, 400)), set()


def drawn(chance: random.Random) -> list[tuple[str, str]]:
    return [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.choice((0, 1, 4, 12, 30)))]


def http(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""])
    return head.encode("utf-8", "surrogatepass") + body


async def ask(port: int, data: bytes, *, is_whole: bool) -> int | None:
    """The status of the answer; None where the door hangs up without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if not is_whole:
            writer.write_eof()
        answer = await reader.read()
    except (ConnectionResetError, BrokenPipeError):
        return None
    finally:
        writer.close()
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


async def throw(port: int, numbers: "list[int]", seed: int, found: Counter[str]) -> None:
    for number in numbers:
        data, allowed = made(random.Random(f"{seed}/{number}"))
        async with asyncio.timeout(SECONDS):
            status = await ask(port, data, is_whole=bool(allowed))
        found[str(status)] += 1
        expected: set[int | None] = {*allowed} or {None, *ANSWERS}
        assert status in expected, f"seed {seed}, request {number}: {status} to {data[:2000]!r}"


async def test_anything_at_all_is_answered_by_the_table(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count, seed = (200_000 if request.config.getoption("--proof") else 20_000), request.config.getoption("--seed")
    variables: dict[str, str] = {
        "SWITCHHOOK_INGEST_SPOOL_DIR": str(tmp_path / "spool"),
        "SWITCHHOOK_INGEST_REQUEST_TIMEOUT": "2",
        "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
    }
    found: Counter[str] = Counter()
    async with serving(tmp_path, **variables) as door:
        parts = [list(range(first, count, CONNECTIONS)) for first in range(CONNECTIONS)]
        await asyncio.gather(*(throw(port_of(door.client), part, seed, found) for part in parts))
        metrics = (await door.client.get("/metrics")).text
        assert await door.stop()
        print(f"seed {seed}, {count} requests: {dict(sorted(found.items()))}")
        assert not [
            line for line in metrics.splitlines() if FAULTS in line and "_total{" in line and not line.endswith(" 0.0")
        ]
        assert "Traceback" not in door.log.read_text()
        assert not [line for line in door.told() if line.get("level") == "error" or "exception" in line]
