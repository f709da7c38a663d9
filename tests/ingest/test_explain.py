"""Explaining: every usual fault is made on purpose, on a request that the official SDK signed, and is named."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from ingest.explain import MEANING, Captured, Hint, account_sid, explain
from ingest.rejection import Rejection
from ingest.signature import Algorithm, Key, Verdict, sign
from tests.ingest.conftest import official

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


SMS = {
    "AccountSid": "AC" + "1" * 32, "MessageSid": "SM" + "2" * 32, "SmsSid": "SM" + "2" * 32, "NumMedia": "0",
    "Body": "Hello  you it's I", "From": "+15005550006", "To": "+12025550100", "MessagingServiceSid": "",
    "FromCity": "", "FromState": "", "FromZip": "", "FromCountry": "US", "ToCity": "",
    "ToState": "", "ToZip": "", "ToCountry": "",
}  # fmt: skip
CALL = {
    "AccountSid": "AC" + "1" * 32, "CallSid": "CA" + "2" * 32, "From": "+15005550006", "To": "+12025550100",
    "Digits": "", "CallStatus": "in-progress", "SpeechResult": "yes please", "ForwardedFrom": "",
    **{role + part: "" for role in ("From", "To", "Caller", "Called") for part in ("City", "State", "Zip", "Country")},
}  # fmt: skip


def seen(
    sent: Mapping[str, str], *, without: Sequence[str] = (), url: str = URL, at: str = "", **changed: str
) -> Captured:
    """What was signed as `sent` and called at `url`, seen without some parameters, with others changed, and `at`."""
    kept = {name: value for name, value in {**sent, **changed}.items() if name not in without}
    return replace(signed(url, sent), url=at or url, body=urlencode(kept))


@pytest.mark.parametrize(
    ("sent", "dropped"),
    [
        (SMS, [name for name, value in SMS.items() if not value]),
        (SMS, ["FromZip", "ToCity", "ToState"]),
        (SMS, ["MessagingServiceSid"]),
        (CALL, [name for name, value in CALL.items() if not value]),
        (CALL, ["FromZip", "CallerZip", "ToCity", "CalledCity"]),
        (CALL, ["FromZip", "CalledCity", "Digits"]),
        (CALL, ["Digits", "ForwardedFrom"]),
    ],
)
def test_any_empty_parameters_that_were_dropped_are_named(sent: Mapping[str, str], dropped: list[str]) -> None:
    explanation = explain(seen(sent, without=dropped), [KEY], NOW)
    assert explanation.hints == (Hint.EMPTY_PARAMETER_DROPPED,)
    assert set(explanation.detail.removeprefix("with empty ").split(", ")) == set(dropped)
    elsewhere = seen(sent, without=dropped, at=URL.replace("https", "http"))
    assert hints(elsewhere) == (Hint.SCHEME, Hint.EMPTY_PARAMETER_DROPPED)


def test_any_empty_parameters_that_were_added_are_named() -> None:
    sent = {name: value for name, value in SMS.items() if name not in ("ToZip", "FromCity")}
    explanation = explain(seen(sent, ToZip="", FromCity="", Label=""), [KEY], NOW)
    assert explanation.hints == (Hint.EMPTY_PARAMETER_ADDED,)
    assert explanation.detail == "without empty FromCity, Label, ToZip"


@pytest.mark.parametrize(
    "written",
    ["two   ", " both ", "\n\n Hello", "end \r\n", "tab\t", "hard\xa0", "\u3000wide", " \n ", "line\n", "many     "],
)
def test_any_white_space_that_was_trimmed_is_named(written: str) -> None:
    sent = {**SMS, "Body": written}
    assert hints(seen(sent, Body=written.strip())) == (Hint.VALUE_TRIMMED,)


def test_several_trimmed_values_and_what_was_dropped_with_them_are_named() -> None:
    sent = {**SMS, "Body": "Hello ", "FromCity": "SPRINGFIELD ", "ProfileName": " Ann"}
    trimmed = {name: value.strip() for name, value in sent.items()}
    assert hints(seen(sent, **trimmed)) == (Hint.VALUE_TRIMMED,)
    sent = {**SMS, "Body": "Hello ", "FromCity": "SPRINGFIELD "}
    trimmed = {name: value.strip() for name, value in sent.items()}
    empty = [name for name, value in trimmed.items() if not value]
    assert hints(seen(sent, without=empty, **trimmed)) == (Hint.EMPTY_PARAMETER_DROPPED, Hint.VALUE_TRIMMED)
    elsewhere = seen(sent, at=URL.replace("/status?", "/status/?"), **trimmed)
    assert hints(elsewhere) == (Hint.PATH_SLASH, Hint.VALUE_TRIMMED)


def test_a_plus_that_was_not_encoded_is_named_beside_real_spaces() -> None:
    captured = replace(signed(params=SMS), body=urlencode(SMS).replace("%2B", "+"))
    explanation = explain(captured, [KEY], NOW)
    assert (explanation.hints, explanation.detail) == ((Hint.PLUS_DECODED,), "parameter From, To")


def fetched(url: str, at: str) -> Captured:
    """A GET that was signed as `url` and is seen as `at`. It has no other form than its URL, so little is tried."""
    return replace(seen({}, url=url, at=at), method="GET")


SIGNED = "https://hooks.example.com/webhooks/messages/inbound?d=e,f&g=it's&h=a%20b"


@pytest.mark.parametrize(
    "query",
    [
        "d=e%2Cf&g=it's&h=a%20b", "d=e%2cf&g=it%27s&h=a+b", "d=e,f&g=it%27s&h=a%20b", "d=e,f&g=it's&h=a+b",
        "h=a+b&d=e%2Cf&g=it%27s", "g=it's&h=a%20b&d=e,f", "d=e,f&g=it's&h=a%2520b",
    ],
)  # fmt: skip
def test_a_query_that_was_spelt_anew_is_named(query: str) -> None:
    at = f"{SIGNED.partition('?')[0]}?{query}"
    assert hints(fetched(SIGNED, at)) == (Hint.QUERY_ENCODING,)
    assert hints(seen(SMS, url=SIGNED, at=at.replace("https", "http"))) == (Hint.SCHEME, Hint.QUERY_ENCODING)


@pytest.mark.parametrize(
    ("url", "at", "hint"),
    [
        ("https://h.example/x?a", "https://h.example/x?a=", Hint.QUERY_ENCODING),
        ("https://h.example/x?a=&b=1&c=", "https://h.example/x?a&b=1&c", Hint.QUERY_ENCODING),
        ("https://h.example/x?", "https://h.example/x", Hint.QUERY_ENCODING),
        ("https://h.example/x", "https://h.example/x?", Hint.QUERY_ENCODING),
        ("https://h.example/x?a=%2b", "https://h.example/x?a=%2B", Hint.QUERY_ENCODING),
        ("https://h.example/x?a=é", "https://h.example/x?a=%C3%A9", Hint.QUERY_ENCODING),
        ("https://h.example/a%20b/c~d", "https://h.example/a b/c%7Ed", Hint.PATH_ENCODING),
        ("https://h.example/x?a=1", "https://h.example/x?a=1&utm=2", Hint.QUERY_LOST),
        ("https://h.example//x", "https://h.example/x", Hint.PATH_SLASH),
        ("https://h.example?a=1", "https://h.example/?a=1", Hint.PATH_SLASH),
        ("https://h.example:8443/x", "https://h.example/x", Hint.PORT),
        ("https://h.example:23456/x", "https://h.example/x", Hint.PORT),
    ],
)
def test_a_url_that_was_spelt_anew_is_named(url: str, at: str, hint: Hint) -> None:
    assert hints(fetched(url, at)) == (hint,)


PUBLIC = "https://hooks.example.com:8443/x?a=1"


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        ({"host": "hooks.example.com:8443"}, (Hint.SCHEME, Hint.HOST, Hint.PORT)),
        ({"x-forwarded-host": "evil.example, hooks.example.com:8443"}, (Hint.SCHEME, Hint.HOST, Hint.PORT)),
        ({"x-forwarded-host": "hooks.example.com", "x-forwarded-port": "8443"}, (Hint.SCHEME, Hint.HOST, Hint.PORT)),
        ({"forwarded": 'for=1.2.3.4;host="hooks.example.com:8443";proto=https'}, (Hint.SCHEME, Hint.HOST, Hint.PORT)),
    ],
)
def test_a_host_is_found_in_the_headers(headers: Mapping[str, str], hint: tuple[Hint, ...]) -> None:
    there = signed(PUBLIC)
    captured = replace(there, url="http://10.0.0.7:3000/x?a=1", headers={**there.headers, **headers})
    assert hints(captured) == hint


def test_a_host_is_found_among_the_bases_that_are_known() -> None:
    captured = replace(
        signed(), url=URL.replace("hooks.example.com", "app"), headers={**signed().headers, "host": "app"}
    )
    assert hints(captured) == (Hint.NOTHING_MATCHES,)
    explanation = explain(captured, [KEY], NOW, bases=["https://other.example", "https://hooks.example.com/"])
    assert explanation.hints == (Hint.HOST,)


def test_a_lost_query_is_found_only_where_something_tells_it() -> None:
    at = URL.partition("?")[0]
    captured = seen(SMS, at=at)
    explanation = explain(captured, [KEY], NOW)
    assert explanation.hints == (Hint.NOTHING_MATCHES,)
    assert "cannot be guessed" in explanation.detail
    told = replace(
        captured, headers={**captured.headers, "x-original-uri": URL.removeprefix("https://hooks.example.com")}
    )
    assert hints(told) == (Hint.QUERY_LOST,)


def test_events_are_judged_by_their_hash_and_belong_to_the_account_of_their_path() -> None:
    sent = '[{"id": "1"}]'
    path = f"https://hooks.example.com/webhooks/event-streams/AC{'1' * 32}"
    url = f"{path}?bodySHA256={sha256(sent.encode()).hexdigest()}"
    headers = {"x-twilio-signature": official(url, [], KEY.token), "content-type": "application/json"}
    captured = Captured(url, "1", "POST", headers, sent)
    assert explain(captured, [KEY], NOW).verified
    assert account_sid(captured) == "AC" + "1" * 32
    assert hints(replace(captured, url=path)) == (Hint.QUERY_LOST,)
    wrong = replace(captured, url=url.replace("https", "http"), body=sent + " ")
    assert hints(wrong) == (Hint.SCHEME, Hint.BODY_ALTERED)


def test_a_form_is_a_form_also_where_the_url_has_a_hash() -> None:
    captured = signed("https://hooks.example.com/x?bodySHA256=" + "0" * 64)
    assert explain(captured, [KEY], NOW).verified


def test_the_settings_header_chooses_the_key_as_it_does_at_the_door() -> None:
    def told(settings: str, *keys: Key) -> tuple[Verdict | Rejection, tuple[Hint, ...]]:
        headers = {**signed().headers, "x-twilio-webhooks-signature-settings": settings}
        explanation = explain(replace(signed(), headers=headers), keys, NOW)
        return explanation.verdict, explanation.hints

    assert told("algorithm=HMAC_SHA1", KEY) == (Verdict.VERIFIED, ())
    assert told("algorithm=HMAC_SHA256", KEY) == (Verdict.WRONG_SIGNATURE, (Hint.OTHER_ALGORITHM,))
    named = Key("another", shared_id="webhooks_sharedkey_1")
    assert told("key=webhooks_sharedkey_1", named, KEY) == (Verdict.WRONG_SIGNATURE, (Hint.OTHER_KEY,))


def test_a_request_of_an_unknown_account_says_so() -> None:
    explanation = explain(signed(), [], NOW)
    assert (explanation.verdict, explanation.hints) == (Verdict.UNKNOWN_ACCOUNT, (Hint.UNKNOWN_ACCOUNT,))
    explanation = explain(signed(), [], NOW, others=[KEY])
    assert (explanation.verdict, explanation.hints) == (Verdict.UNKNOWN_ACCOUNT, (Hint.OTHER_KEY,))


@pytest.mark.parametrize("url", ["https://[::1/x", "nonsense", "/x", "https://", "https://h:port/x", "ftp://h/x", ""])
def test_a_url_that_is_none_says_so(url: str) -> None:
    assert hints(replace(signed(), url=url)) == (Hint.URL_UNREADABLE,)
    assert account_sid(replace(signed(), url=url)) == PARAMS["AccountSid"]


def test_a_signature_that_was_cut_says_so() -> None:
    captured = replace(signed(), headers={**signed().headers, "x-twilio-signature": "abc="})
    assert "length" in explain(captured, [KEY], NOW).detail


def test_other_faults_are_found_with_other_keys() -> None:
    other, old = Key("another-token"), replace(KEY, not_after=datetime(2025, 1, 1, tzinfo=UTC))
    captured = replace(signed(key=other), url=URL.replace("https", "http"))
    assert hints(captured, others=(other,)) == (Hint.SCHEME, Hint.OTHER_KEY)
    assert hints(replace(signed(), url=URL.replace("https", "http")), old) == (Hint.SCHEME, Hint.EXPIRED_KEY)


def test_what_nothing_explains_is_given_up_after_a_bounded_search(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def sign_nothing(self: Key, message: bytes) -> bytes:
        nonlocal tried
        tried += 1
        return b""

    monkeypatch.setattr(Key, "sign", sign_nothing)
    large = {name: value for name, value in {**CALL, **{f"P{n}": "a b" for n in range(60)}}.items() if value}
    at = URL.replace(".com/", ".com:81/") + "&a=1,2&b=it's&c=x:y&d=@z&e=a/b&f=q&g=~"
    bases = [f"https://h{n}.example:{n}" for n in range(1, 30)]
    explanation = explain(seen(large, at=at), [KEY], NOW, bases=bases)
    assert explanation.hints == (Hint.NOTHING_MATCHES,)
    assert tried < 1_500_000


def test_every_hint_has_a_meaning() -> None:
    assert set(MEANING) == set(Hint)


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
    mixed = run("--json", "-", text='{"id": "x", "url": "https://[::1/x"}\nnonsense\n{"id": 7}\n' + path.read_text())
    assert [json.loads(line)["hints"] for line in mixed.stdout.splitlines()] == [
        ["no_signature"], ["request_unreadable"], ["request_unreadable"], [], ["scheme"],
    ]  # fmt: skip
    assert [json.loads(line)["id"] for line in mixed.stdout.splitlines()] == ["x", "2", "7", "good", "bad"]
    assert (mixed.returncode, mixed.stderr) == (1, "")
    missing = run(str(tmp_path / "none"))
    assert (missing.returncode, "No such file" in missing.stderr) == (2, True)
