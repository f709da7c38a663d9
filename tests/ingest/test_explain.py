"""Explaining: every usual fault is made on purpose, on a request that the official SDK signed, and is named."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from ingest.captured import Captured, Uncaptured, read
from ingest.explain import MEANING, Hint, account_sid, explain
from ingest.signature import Algorithm, Key, Verdict, sign

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Key("12345678901234567890123456789012")
URL = "https://hooks.example.com/webhooks/messages/status?action=a%20b&x=1"
PARAMS = {
    "AccountSid": "AC" + "1" * 32, "Body": "two  words ", "From": "+15005550006", "FromCity": "", "To": "+12025550100",
}  # fmt: skip
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def signed(url: str = URL, params: Mapping[str, str] = PARAMS, key: Key = KEY) -> Captured:
    """As the provider sent it."""
    validator = RequestValidator(key.token)  # type: ignore[no-untyped-call]
    signature = validator.compute_signature(url, dict(params))  # type: ignore[no-untyped-call]
    headers = {"x-twilio-signature": signature, "content-type": FORM, "host": "hooks.example.com"}
    return Captured(url, "1", "POST", headers, urlencode(params))


def body(**changed: str | None) -> str:
    params = {**PARAMS, **changed}
    return urlencode({name: value for name, value in params.items() if value is not None})


def hints(captured: Captured, *keys: Key, others: tuple[Key, ...] = ()) -> tuple[Hint, ...]:
    explanation = explain(captured, keys or (KEY,), NOW, others=others)
    assert not explanation.verified
    return explanation.hints


def test_what_is_right_needs_no_hint() -> None:
    explanation = explain(signed(), [KEY], NOW)
    assert (explanation.verified, explanation.hints) == (True, ())


@pytest.mark.parametrize(
    ("seen", "hint"),
    [
        (URL.replace("https:", "http:"), (Hint.SCHEME,)),
        (URL.replace("hooks.example.com", "10.0.0.7"), (Hint.HOST,)),
        (URL.replace(".com/", ".com:8080/"), ()),  # the SDK and ours drop a port that should not be there
        (URL.replace("/status?", "/status/?"), (Hint.PATH_SLASH,)),
        (URL.replace("%20", "+"), (Hint.QUERY_ENCODING,)),
        (URL.replace("%20", " "), (Hint.QUERY_ENCODING,)),
        (URL.replace("https:", "http:").replace("hooks.example.com", "app"), (Hint.SCHEME, Hint.HOST)),
    ],
)
def test_another_url_is_named_by_what_changed(seen: str, hint: tuple[Hint, ...]) -> None:
    captured = replace(signed(), url=seen)
    if not hint:
        assert explain(captured, [KEY], NOW).verified
    else:
        assert hints(captured) == hint


def test_a_port_that_was_lost_is_named() -> None:
    there = signed("https://hooks.example.com:8443/x")
    assert hints(replace(there, url="https://hooks.example.com/x")) == (Hint.PORT,)


def test_a_query_that_was_added_on_the_way_is_named() -> None:
    there = signed("https://hooks.example.com/x")
    assert hints(replace(there, url="https://hooks.example.com/x?utm=1")) == (Hint.QUERY_LOST,)


@pytest.mark.parametrize(
    ("seen", "hint", "detail"),
    [
        (body(FromCity=None), Hint.EMPTY_PARAMETER_DROPPED, "FromCity"),
        (body(Digits=""), Hint.EMPTY_PARAMETER_ADDED, ""),
        (body(Body="two  words"), Hint.VALUE_TRIMMED, "parameter Body"),
        (body(Body="two++words+"), Hint.PLUS_DECODED, "parameter Body"),
        (body() + "&action=a+b&x=1", Hint.QUERY_MERGED, ""),
    ],
)
def test_other_parameters_are_named_by_what_changed(seen: str, hint: Hint, detail: str) -> None:
    captured = replace(signed(), body=seen)
    if hint is Hint.EMPTY_PARAMETER_ADDED:  # the provider's own empty one would go as well
        params = {name: value for name, value in PARAMS.items() if value}
        captured = replace(signed(params=params), body=urlencode({**params, "Digits": ""}))
    explanation = explain(captured, [KEY], NOW)
    assert explanation.hints == (hint,)
    assert detail in explanation.detail
    assert "two" not in explanation.detail, "a detail names parameters, never what is in them"


def test_a_changed_url_and_a_dropped_parameter_are_found_together() -> None:
    captured = replace(signed(), url=URL.replace("https:", "http:"), body=body(FromCity=None))
    assert hints(captured) == (Hint.SCHEME, Hint.EMPTY_PARAMETER_DROPPED)


def test_keys_are_told_apart() -> None:
    other = Key("another-token-of-another-account")
    assert hints(signed(key=other)) == (Hint.NOTHING_MATCHES,)
    assert hints(signed(key=other), others=(other,)) == (Hint.OTHER_KEY,)
    expired = replace(KEY, not_after=datetime(2025, 1, 1, tzinfo=UTC))
    assert hints(signed(), expired) == (Hint.EXPIRED_KEY,)
    wide = Key(KEY.token, Algorithm.HMAC_SHA256)
    headers = {"x-twilio-signature": sign(URL, list(PARAMS.items()), wide), "content-type": FORM}
    assert hints(replace(signed(), headers=headers)) == (Hint.OTHER_ALGORITHM,)


def test_a_body_that_was_changed_is_named_with_how() -> None:
    sent = '{"a": 1}'
    url = f"https://hooks.example.com/x?bodySHA256={sha256(sent.encode()).hexdigest()}"
    headers = {"x-twilio-signature": sign(url, (), KEY), "content-type": "application/json"}
    captured = Captured(url, "1", "POST", headers, sent)
    assert explain(captured, [KEY], NOW).verified
    explanation = explain(replace(captured, body=sent + "\n"), [KEY], NOW)
    assert (explanation.verdict, explanation.hints) == (Verdict.BODY_MISMATCH, (Hint.BODY_ALTERED,))
    assert explanation.detail == "without its last line end"


def test_what_cannot_be_judged_is_named() -> None:
    assert hints(replace(signed(), headers={"content-type": FORM})) == (Hint.NO_SIGNATURE,)
    assert hints(replace(signed(), body="Body=%ff")) == (Hint.BODY_UNREADABLE,)
    assert hints(replace(signed(), body=body(Body="forged"))) == (Hint.NOTHING_MATCHES,)


def test_every_hint_has_a_meaning() -> None:
    assert set(MEANING) == set(Hint)


CURL = """curl -v -X POST 'https://h.example.com/x?y=1' \\
  -H 'X-Twilio-Signature: abc=' -H "Content-Type: text/plain" --data 'A=1' --data-raw 'B=2'"""
RAW = "> POST /x?y=1 HTTP/1.1\r\n> Host: h.example.com\r\n> X-Twilio-Signature: abc=\r\n>\r\nA=1&B=2\r\n"


OBJECT = {
    "method": "post",
    "url": "https://h.example.com/x?y=1",
    "headers": {"X-Twilio-Signature": "abc="},
    "body": "A=1&B=2",
}


@pytest.mark.parametrize("text", [CURL, RAW, json.dumps(OBJECT)])
def test_a_request_is_read_in_every_spelling(text: str) -> None:
    [captured] = read(text)
    assert (captured.method, captured.url) == ("POST", "https://h.example.com/x?y=1")
    assert (captured.header("X-Twilio-Signature"), captured.body) == ("abc=", "A=1&B=2")


@pytest.mark.parametrize(
    "text", ["", "{", "hello", '{"url": 1}', '{"url": "u"}\nnonsense', "curl -X POST", "POST /x HTTP/1.1\n\n"]
)
def test_what_is_no_request_is_told(text: str) -> None:
    with pytest.raises(Uncaptured):
        read(text)


def test_lines_of_requests_are_read_with_their_ids_and_accounts_found() -> None:
    found = read('{"id": "a", "url": "https://h/x?AccountSid=AC1", "method": "GET"}\n\n{"url": "https://h/y"}\n')
    assert [(captured.id, account_sid(captured)) for captured in found] == [("a", "AC1"), ("3", None)]


def test_the_command_explains_a_file(tmp_path: Path) -> None:
    lines = [{"id": name, "method": "POST", "url": url, "headers": dict(signed().headers), "body": signed().body}
             for name, url in (("good", URL), ("bad", URL.replace("https", "http")))]  # fmt: skip
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    command = [sys.executable, "-m", "ingest", "explain", "--key", KEY.token]

    def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        whole = [*command, *arguments]
        return subprocess.run(whole, cwd=ROOT, input=text, capture_output=True, text=True, check=False)

    done = run("--json", str(path))
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": "good", "verified": True, "verdict": "verified", "hints": []},
        {"id": "bad", "verified": False, "verdict": "wrong_signature", "hints": ["scheme"]},
    ]
    assert done.returncode == 1
    told = subprocess.run(
        [*command, "-"], cwd=ROOT, input=path.read_text(), capture_output=True, text=True, check=False
    )
    assert MEANING[Hint.SCHEME] in told.stdout
    assert KEY.token not in told.stdout + told.stderr
    missing = run(str(tmp_path / "none"))
    assert (missing.returncode, "No such file" in missing.stderr) == (2, True)
