"""Signatures: judged as the official SDKs judge them, and refused when one character differs."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from ingest.signature import Account, Algorithm, Key, Keyring, Verdict, canonical, sign, url_forms, verify
from tests.ingest.conftest import NOW, TOKEN, accepted_by_sdk, official

KEY = Key(TOKEN)
URL = "https://hooks.example.org/webhooks/messages/status?action=welcome-7"
PARAMETERS = [("MessageSid", "SM1"), ("MessageStatus", "sent"), ("ToCity", "")]

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "samples" / "signature_vectors.json").read_text(encoding="utf-8")
)["vectors"]
# The Node SDK puts the URL through WHATWG `URL`, which writes ' in a query as %27, and this MAC is over that spelling
# (twilio-node, src/webhooks/webhooks.ts; https://url.spec.whatwg.org/#special-query-percent-encode-set). The provider
# signs the URL as it requests it (https://www.twilio.com/docs/usage/security#validating-requests), and its Python SDK
# refuses this vector too.
ONLY_NODE_ACCEPTS = "query-special-chars"


def pairs(params: dict[str, str | list[str] | None] | None) -> list[tuple[str, str]]:
    """A vector's parameters as a form holds them: a list is a repeated key, null is Java's empty value."""
    return [
        (name, one or "")
        for name, value in (params or {}).items()
        for one in (value if isinstance(value, list) else [value])
    ]


def judged(vector: dict[str, Any]) -> Verdict:
    body = vector["body"].encode() if "body" in vector else None
    key = Key(vector["token"])
    return verify(vector["url"], pairs(vector.get("params")), vector["signature"], [key], NOW, body=body)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_every_published_vector_is_judged_as_it_says(vector: dict[str, Any]) -> None:
    valid = vector["valid"] and vector["id"] != ONLY_NODE_ACCEPTS
    assert (judged(vector) is Verdict.VERIFIED) is valid


def test_the_vector_of_the_node_sdk_alone_is_signed_over_another_spelling() -> None:
    (vector,) = (v for v in VECTORS if v["id"] == ONLY_NODE_ACCEPTS)
    escaped = {**vector, "url": vector["url"].replace("'", "%27")}
    assert judged(escaped) is Verdict.VERIFIED


def test_a_body_with_the_wrong_hash_is_told_apart_from_a_wrong_signature() -> None:
    by_id = {v["id"]: judged(v) for v in VECTORS}
    assert by_id["rack-json-mismatch"] is Verdict.BODY_MISMATCH
    assert by_id["json-body-without-any-query"] is Verdict.WRONG_SIGNATURE


# What a URL that the provider requests is made of: escapes stay as they are written, in either case.
WORDS = st.text(st.sampled_from("abcXYZ019-._~%+'é"), max_size=12)
HOSTS = st.sampled_from(["hooks.example.org", "hooks.example.org:8443", "127.0.0.1:4010", "x.example"])
# `geturl` of the SDK drops an empty query and lower-cases the scheme, so neither is drawn here.
URLS = st.builds(
    lambda scheme, host, path, query: f"{scheme}://{host}/{path}" + (f"?{query}" if query else ""),
    st.sampled_from(["http", "https"]),
    HOSTS,
    st.lists(WORDS, max_size=3).map("/".join),
    st.lists(st.tuples(WORDS.filter(bool), WORDS).map("=".join), max_size=3).map("&".join),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
FORMS = st.dictionaries(TEXTS, TEXTS, max_size=6)


@given(url=URLS, form=FORMS, token=st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1))
@example(url="https://hooks.example.org/x?a=It's+%2b", form={"Reason": "a", "ReasonEnded": "b", "": ""}, token="t")
def test_what_the_official_sdk_signs_is_accepted(url: str, form: dict[str, str], token: str) -> None:
    signature = official(url, form, token)
    assert verify(url, list(form.items()), signature, [Key(token)], NOW) is Verdict.VERIFIED
    assert sign(url, list(form.items()), Key(token)) == signature


@given(url=URLS, form=FORMS)
def test_what_we_sign_is_accepted_by_the_official_sdk(url: str, form: dict[str, str]) -> None:
    assert accepted_by_sdk(url, form, sign(url, list(form.items()), KEY))


REPEATED = st.lists(st.tuples(st.sampled_from(["Key", "MediaUrl0", "a", ""]) | TEXTS, TEXTS), max_size=8)


@given(url=URLS, pairs=REPEATED, algorithm=st.sampled_from(Algorithm))
def test_repeated_keys_are_signed_as_the_official_sdk_signs_them(
    url: str, pairs: list[tuple[str, str]], algorithm: Algorithm
) -> None:
    signature = official(url, pairs, algorithm=algorithm)
    assert sign(url, pairs, Key(TOKEN, algorithm)) == signature
    assert verify(url, pairs, signature, [Key(TOKEN, algorithm)], NOW) is Verdict.VERIFIED


@given(url=URLS, user=st.sampled_from(["user:pass@", "user@", "u:p%40q@"]), form=FORMS)
def test_user_info_may_be_in_the_signed_url_or_not(url: str, user: str, form: dict[str, str]) -> None:
    with_user = url.replace("://", f"://{user}", 1)
    for signed in (url, with_user):
        assert verify(with_user, list(form.items()), official(signed, form), [KEY], NOW) is Verdict.VERIFIED
    assert accepted_by_sdk(with_user, form, official(with_user, form))


PLAIN = "https://hooks.example.org/x"
DIFFERENCES = {
    "a fragment is neither sent nor signed": (f"{PLAIN}?a=1#rc=5&rp=all", f"{PLAIN}?a=1"),
    "a bare question mark is a part of the URL": (f"{PLAIN}?", f"{PLAIN}?"),
    "a scheme is not spelled anew": ("HTTPS://hooks.example.org/x", "HTTPS://hooks.example.org/x"),
    "user info is dropped before signing": ("https://user:pass@hooks.example.org/x", PLAIN),
}
"""Deliberate differences: the URL that is verified, and the one that the provider has signed."""


@pytest.mark.parametrize(("url", "signed"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_where_we_accept_what_the_official_sdk_refuses(url: str, signed: str) -> None:
    """Each is cited in `ingest.signature`; the MAC is the plain one over the URL as the provider has requested it."""
    signature = KEY.sign(signed.encode()).decode()
    assert verify(url, [], signature, [KEY], NOW) is Verdict.VERIFIED
    assert not accepted_by_sdk(url, {}, signature)


def test_what_the_official_sdk_raises_is_a_verdict() -> None:
    validator = RequestValidator(TOKEN)  # type: ignore[no-untyped-call]
    with pytest.raises(TypeError):
        validator.validate(PLAIN, {}, None)  # type: ignore[no-untyped-call]
    assert verify(PLAIN, [], None, [KEY], NOW) is Verdict.MISSING_SIGNATURE
    with pytest.raises((TypeError, AttributeError)):
        validator.validate(PLAIN, "{}", official(PLAIN, {}))  # type: ignore[no-untyped-call]
    assert verify(PLAIN, [], official(PLAIN, {}), [KEY], NOW, body=b"{}") is Verdict.BODY_MISMATCH


def test_an_algorithm_that_the_request_names_does_not_make_a_key_verify_by_it() -> None:
    signature = official(PLAIN, {}, TOKEN, "HMAC_SHA256")
    validator = RequestValidator(TOKEN)  # type: ignore[no-untyped-call]
    assert validator.validate(PLAIN, {}, signature, "HMAC_SHA256")  # type: ignore[no-untyped-call]
    settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    assert verify(PLAIN, [], signature, [KEY], NOW, settings=settings) is Verdict.WRONG_SIGNATURE


def changed(text: str, at: int, to: str) -> str:
    """The text with another character at one place. Never the same text."""
    at %= len(text)
    return text[:at] + (to if text[at] != to else "~" if to != "~" else "!") + text[at + 1 :]


@given(url=URLS, form=FORMS.filter(bool), at=st.integers(min_value=0), to=st.sampled_from("aZ0+/= é"), data=st.data())
def test_one_changed_character_is_refused(
    url: str, form: dict[str, str], at: int, to: str, data: st.DataObject
) -> None:
    signature = official(url, form)
    name = data.draw(st.sampled_from(sorted(form)))
    forgeries = [
        (changed(url, at, to), form, signature),
        (url, {**form, name: changed(form[name] + "x", at, to)}, signature),
        (url, {**form, name: form[name] + to}, signature),
        (url, {k: v for k, v in form.items() if k != name} | {name + "x": form[name]}, signature),
        (url, form, changed(signature, at, to)),
        (url, form, signature[:-1]),
        (url, form, signature + to),
    ]
    # One text of names and values can be cut into another form; the rule of the provider cannot tell them apart.
    true = canonical(url, list(form.items()))
    for forged_url, forged_form, forged_signature in forgeries:
        told = {canonical(spelling, list(forged_form.items())) for spelling in url_forms(forged_url)}
        if forged_signature == signature and true in told:
            continue
        assert verify(forged_url, list(forged_form.items()), forged_signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE


def test_no_parameter_may_be_dropped_and_none_added() -> None:
    signature = official(URL, dict(PARAMETERS))
    assert verify(URL, PARAMETERS, signature, [KEY], NOW) is Verdict.VERIFIED
    for at in range(2):  # the third has no value: its name counts
        assert verify(URL, PARAMETERS[:at] + PARAMETERS[at + 1 :], signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE
    assert verify(URL, PARAMETERS[:2], signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE
    assert verify(URL, [*PARAMETERS, ("ErrorCode", "")], signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE


def test_the_order_and_repetition_of_parameters_do_not_matter() -> None:
    signature = sign(URL, PARAMETERS, KEY)
    assert sign(URL, PARAMETERS[::-1], KEY) == signature
    assert sign(URL, PARAMETERS + PARAMETERS, KEY) == signature


def test_the_url_is_taken_byte_for_byte() -> None:
    signature = official("https://hooks.example.org/a%2bb/?x=1+2", {})
    for other in ("a%2Bb/?x=1+2", "a+b/?x=1+2", "a%2bb?x=1+2", "a%2bb/?x=1%202"):
        assert verify(f"https://hooks.example.org/{other}", [], signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE


def test_connection_overrides_are_neither_sent_nor_signed() -> None:
    signature = official(URL, dict(PARAMETERS))
    assert sign(f"{URL}#rc=5&rp=all", PARAMETERS, KEY) == signature
    assert verify(f"{URL}#rc=5&rp=all", PARAMETERS, signature, [KEY], NOW) is Verdict.VERIFIED


@pytest.mark.parametrize("scheme_port", [("https", 443), ("http", 80)])
def test_a_port_may_be_in_the_signed_url_or_not(scheme_port: tuple[str, int]) -> None:
    scheme, port = scheme_port
    plain, spelled = f"{scheme}://hooks.example.org/x", f"{scheme}://hooks.example.org:{port}/x"
    for ours in (plain, spelled):
        for theirs in (plain, spelled):
            assert verify(ours, [], official(theirs, {}), [KEY], NOW) is Verdict.VERIFIED
    # Voice over HTTPS drops any port; what is not the default one is never added.
    assert verify(f"{scheme}://hooks.example.org:8443/x", [], official(plain, {}), [KEY], NOW) is Verdict.VERIFIED
    assert verify(plain, [], official(f"{scheme}://hooks.example.org:8443/x", {}), [KEY], NOW) is not Verdict.VERIFIED


def test_the_other_scheme_is_another_url() -> None:
    signature = official("http://hooks.example.org/x", {})
    assert verify("https://hooks.example.org/x", [], signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE


def test_any_live_key_of_the_account_will_do() -> None:
    keys = [Key("old"), Key("shared", Algorithm.HMAC_SHA256), Key("new")]
    for token, algorithm in (("old", "HMAC_SHA1"), ("shared", "HMAC_SHA256"), ("new", "HMAC_SHA1")):
        signature = official(URL, dict(PARAMETERS), token, algorithm)
        assert verify(URL, PARAMETERS, signature, keys, NOW) is Verdict.VERIFIED
    assert verify(URL, PARAMETERS, official(URL, dict(PARAMETERS), "other"), keys, NOW) is Verdict.WRONG_SIGNATURE


@pytest.mark.parametrize("order", [1, -1])
def test_an_expired_key_is_told_apart_and_does_not_hide_a_live_one(order: int) -> None:
    signature = official(URL, dict(PARAMETERS), "old")
    old = Key("old", not_after=NOW)
    keys = [old, Key("new")][::order]
    assert verify(URL, PARAMETERS, signature, keys, NOW) is Verdict.VERIFIED, "until its last instant"
    assert verify(URL, PARAMETERS, signature, keys, NOW + timedelta(seconds=1)) is Verdict.EXPIRED_KEY
    again = [old, Key("old")][::order]
    assert verify(URL, PARAMETERS, signature, again, NOW + timedelta(seconds=1)) is Verdict.VERIFIED


def test_a_key_verifies_by_its_own_algorithm_only() -> None:
    """The header that names an algorithm is not signed, so it must not choose one."""
    sha1, sha256 = official(URL, {}, "shared"), official(URL, {}, "shared", "HMAC_SHA256")
    assert verify(URL, [], sha256, [Key("shared", Algorithm.HMAC_SHA256)], NOW) is Verdict.VERIFIED
    assert verify(URL, [], sha1, [Key("shared", Algorithm.HMAC_SHA256)], NOW) is Verdict.WRONG_SIGNATURE
    assert verify(URL, [], sha256, [Key("shared")], NOW) is Verdict.WRONG_SIGNATURE


@given(url=URLS, form=FORMS, secret=st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_shared_key_with_sha_256_agrees_with_the_official_sdk(url: str, form: dict[str, str], secret: str) -> None:
    signature = official(url, form, secret, "HMAC_SHA256")
    assert len(signature) == 44
    key = Key(secret, Algorithm.HMAC_SHA256)
    assert verify(url, list(form.items()), signature, [key], NOW) is Verdict.VERIFIED


@given(body=st.binary(max_size=200), before=st.sampled_from(["", "a=1&", "bodySHA256x=0&"]))
def test_a_body_that_is_no_form_needs_its_hash_in_the_signed_url(body: bytes, before: str) -> None:
    digest = hashlib.sha256(body).hexdigest()
    url = f"https://hooks.example.org/x?{before}bodySHA256={digest}"
    assert verify(url, [], official(url, {}), [KEY], NOW, body=body) is Verdict.VERIFIED
    assert verify(url, [], official(url, {}), [KEY], NOW, body=body + b" ") is Verdict.BODY_MISMATCH
    unhashed = "https://hooks.example.org/x"
    assert verify(unhashed, [], official(unhashed, {}), [KEY], NOW, body=body) is Verdict.BODY_MISMATCH
    assert verify(url, [], official(unhashed, {}), [KEY], NOW, body=body) is Verdict.WRONG_SIGNATURE


def test_of_several_body_hashes_the_first_counts() -> None:
    right, wrong = hashlib.sha256(b"{}").hexdigest(), "0" * 64
    for url, verdict in (
        (f"{URL}&bodySHA256={right}&bodySHA256={wrong}", Verdict.VERIFIED),
        (f"{URL}&bodySHA256={wrong}&bodySHA256={right}", Verdict.BODY_MISMATCH),
        (f"{URL}&bodySHA256={right.upper()}", Verdict.BODY_MISMATCH),
    ):
        assert verify(url, [], official(url, {}), [KEY], NOW, body=b"{}") is verdict


@pytest.mark.parametrize("signature", [None, ""])
def test_no_signature_is_a_verdict_and_not_an_error(signature: str | None) -> None:
    assert verify(URL, PARAMETERS, signature, [KEY], NOW) is Verdict.MISSING_SIGNATURE


@pytest.mark.parametrize("signature", ["é", "\udcff", "x" * 10_000, quote(official(URL, dict(PARAMETERS)))])
def test_an_odd_signature_is_wrong_and_not_an_error(signature: str) -> None:
    assert verify(URL, PARAMETERS, signature, [KEY], NOW) is Verdict.WRONG_SIGNATURE


def test_without_keys_nothing_is_verified() -> None:
    assert verify(URL, PARAMETERS, official(URL, dict(PARAMETERS)), [], NOW) is Verdict.WRONG_SIGNATURE


def test_an_account_is_found_by_the_sid_that_the_request_names() -> None:
    first, second = Account("AC1", "first", (KEY,)), Account("AC2", "second", (KEY,))
    keyring = Keyring({"AC1": first, "AC2": second}, default=second)
    assert keyring.find("AC1") is first
    assert keyring.find(None) is second, "who names none belongs to the default"
    assert keyring.find("") is second
    assert keyring.find("AC3") is None, "an unknown account is not the default"
    assert Keyring({"AC1": first}).find(None) is None


def test_no_repr_shows_a_token() -> None:
    account = Account("AC1", "first", (KEY, Key(TOKEN, Algorithm.HMAC_SHA256, NOW)))
    for shown in (KEY, account, Keyring({"AC1": account}, account)):
        assert TOKEN not in repr(shown)
        assert TOKEN not in str(shown)
