"""Keys: rotated while it runs, shared ones with their own algorithm; the official validator is the judge."""

from collections import Counter
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from deploy.emulator.account import Callback
from deploy.emulator.callbacks.requests import Outgoing, outgoing
from deploy.emulator.callbacks.signing import Keys, SharedKey
from deploy.emulator.faults import Forgery
from tests.deploy.emulator.conftest import ACCOUNT, TOKEN, Emulator
from tests.deploy.emulator.virtual import URL, World

NEXT, SECRET = "f" * 32, "a-secret-shared-by-two"
SHARED = SharedKey("webhooks_sharedkey_01h", SECRET)


def verified(request: Outgoing, secret: str) -> bool:
    """What the official validator says, told the algorithm that the request names."""
    settings = request.headers.get("X-Twilio-Webhooks-Signature-Settings", "")
    algorithm = dict(part.split("=") for part in settings.split(",") if part).get("algorithm")
    params = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    signature = request.headers.get("X-Twilio-Signature", "")
    validator = RequestValidator(secret)  # type: ignore[no-untyped-call]
    return bool(validator.validate(request.url, params, signature, algorithm))  # type: ignore[no-untyped-call]


async def delivered(world: World, count: int = 1) -> list[Outgoing]:
    world.requests.clear()
    for _ in range(count):
        world.send()
    await world.exchange.move()
    return world.requests


async def test_promotion_changes_over_at_once() -> None:
    world = World()
    keys = world.exchange.keys
    assert all(verified(each, TOKEN) for each in await delivered(world))
    keys.secondary = NEXT
    assert set(keys.tokens) == {TOKEN, NEXT}, "REST takes either"
    assert all(verified(each, TOKEN) for each in await delivered(world)), "the primary one signs until it is promoted"
    keys.promote()
    assert set(keys.tokens) == {NEXT}
    assert all(verified(each, NEXT) and not verified(each, TOKEN) for each in await delivered(world))


def test_there_must_be_a_token_to_promote() -> None:
    with pytest.raises(ValueError, match="create one first"):
        Keys(TOKEN).promote()


async def test_a_share_of_callbacks_is_signed_with_either_token_by_seed() -> None:
    def world() -> World:
        made = World({"callbacks": {"secondary_key": 0.5}})
        made.exchange.keys.secondary = NEXT
        return made

    first, second = await delivered(world(), 40), await delivered(world(), 40)
    assert first == second
    by = Counter((verified(each, TOKEN), verified(each, NEXT)) for each in first)
    assert set(by) == {(True, False), (False, True)}
    assert min(by.values()) > 20


async def test_a_duplicate_is_signed_with_the_key_of_the_first() -> None:
    world = World({"callbacks": {"secondary_key": 0.5, "duplicate": 1}})
    world.exchange.keys.secondary = NEXT
    requests = await delivered(world, 10)
    assert Counter(Counter(each.body for each in requests).values()) == {2: 20}
    assert len({(each.body, each.headers["X-Twilio-Signature"]) for each in requests}) == 20


@pytest.mark.parametrize(("algorithm", "characters"), [("HMAC_SHA256", 44), ("HMAC_SHA1", 28)])
async def test_a_shared_key_names_itself_and_its_algorithm(algorithm: str, characters: int) -> None:
    world = World({"callbacks": {"shared_key": 1}})
    world.exchange.keys.shared = SharedKey(SHARED.sid, SECRET, algorithm)
    for request in await delivered(world):
        assert request.headers["X-Twilio-Webhooks-Signature-Settings"] == f"key={SHARED.sid},algorithm={algorithm}"
        assert len(request.headers["X-Twilio-Signature"]) == characters
        assert verified(request, SECRET)
        assert not verified(request, TOKEN)


async def test_what_is_not_there_does_not_sign() -> None:
    world = World({"callbacks": {"shared_key": 0.5, "secondary_key": 0.5}})
    assert all(verified(each, TOKEN) for each in await delivered(world, 10))


@pytest.mark.parametrize("forgery", list(Forgery))
def test_no_key_that_is_valid_verifies_a_forgery(forgery: Forgery) -> None:
    callback = Callback("message-status", "SM1", "sent", 1, URL, "POST", {"MessageSid": "SM1"})
    request = outgoing(callback, Keys(TOKEN, NEXT, shared=SHARED), "token", forgery=forgery)
    assert b"ErrorCode=66666" in request.body
    assert not any(verified(request, secret) for secret in (TOKEN, NEXT, SECRET))
    assert ("X-Twilio-Signature" in request.headers) is (forgery is not Forgery.UNSIGNED)


async def test_a_stale_key_is_the_one_that_was_retired() -> None:
    world = World({"callbacks": {"forge": 1}})
    world.exchange.keys.secondary = NEXT
    world.exchange.keys.promote()
    requests = await delivered(world, 20)
    stale = [each for each in requests if verified(each, TOKEN)]
    assert stale
    assert all(b"ErrorCode=66666" in each.body for each in stale)
    assert world.exchange.callbacks.deliveries.forged["stale-key"] == len(stale)


@pytest.mark.parametrize(
    ("kind", "sid", "given", "named"),
    [
        ("call-status", "CA1", "https://ours.net:8443/a?b=c", "https://ours.net/a?b=c"),
        ("conference-status", "CF1", "https://ours.net:8443/a", "https://ours.net/a"),
        ("call-status", "CA1", "http://ours.net:8080/a", "http://ours.net:8080/a"),
        ("message-status", "SM1", "https://ours.net:8443/a", "https://ours.net:8443/a"),
        ("fallback", "MM1", "https://ours.net:8443/a", "https://ours.net:8443/a"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_port_of_a_secure_address_is_signed_for_messages_only(
    kind: str, sid: str, given: str, named: str, method: str
) -> None:
    """https://www.twilio.com/docs/usage/security"""
    made = outgoing(Callback(kind, sid, "any", 1, given, method, {"b": "c d"}), Keys(TOKEN), "1")
    assert made.url.startswith(given)
    validator = RequestValidator(TOKEN)  # type: ignore[no-untyped-call]
    asked = made.url.replace(given, named) if method == "GET" else named
    said = {} if method == "GET" else {"b": "c d"}
    expected = validator.compute_signature(asked, said)  # type: ignore[no-untyped-call]
    assert made.headers["X-Twilio-Signature"] == expected


def test_keys_do_not_show_themselves() -> None:
    told = repr(Keys(TOKEN, NEXT, "r" * 32, SHARED))
    assert not any(secret in told for secret in (TOKEN, NEXT, "r" * 32, SECRET))


async def test_the_signer_is_drawn_apart_from_the_faults() -> None:
    plan = {"callbacks": {"forge": 0.3, "duplicate": 0.3}}
    signed_so = {"callbacks": {**plan["callbacks"], "secondary_key": 0.5}}
    bodies = []
    for each in (plan, signed_so):
        world = World(each)
        world.exchange.keys.secondary = NEXT
        bodies.append([request.body for request in await delivered(world, 20)])
    assert bodies[0] == bodies[1]


async def test_keys_are_switched_over_http(emulator: Emulator) -> None:
    def allowed(token: str) -> bool:
        return emulator.http.get("/emulator/quiet", auth=(ACCOUNT, token)).status_code == 200

    post = emulator.http.post
    assert post("/emulator/keys", json={"promote": True}).status_code == 400
    assert post("/emulator/keys", json={"secondary": NEXT}).status_code == 204
    assert (allowed(TOKEN), allowed(NEXT)) == (True, True)
    assert post("/emulator/keys", json={"promote": True}).status_code == 204
    assert (allowed(TOKEN), allowed(NEXT)) == (False, True)
    back = {"secondary": TOKEN, "promote": True, "shared": {"sid": SHARED.sid, "secret": SECRET}}
    assert post("/emulator/keys", json=back, auth=(ACCOUNT, NEXT)).status_code == 204
    assert (allowed(TOKEN), allowed(NEXT)) == (True, False)
    assert post("/emulator/keys", json={"shared": None}).status_code == 204
