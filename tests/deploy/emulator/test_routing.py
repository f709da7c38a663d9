"""What people send to a number of ours goes to its own URLs, with their methods and fallbacks, or where it is told."""

from collections.abc import Mapping

import pytest

from deploy.emulator.resources import Target
from deploy.emulator.showing import page, tables
from deploy.emulator.truth import truth
from tests.deploy.emulator.lines import BASE, OURS, Line

SERVICE = "MG" + "5" * 32
TOLD = ("/voice", "/inbound", "/status")  # where a line is told of what its number has no URL for


def owned(line: Line, **settings: str) -> str:
    return str(line.post("IncomingPhoneNumbers", PhoneNumber=OURS, **settings)["sid"])


async def asked(line: Line, *, service: str | None = None) -> list[str]:
    """The paths that a message and a call to our number bring requests to."""
    line.text("/inbound", service=service)
    line.ring()
    await line.move()
    return sorted({path for path, _ in line.heard})


async def test_a_number_without_urls_leaves_it_to_what_was_told() -> None:
    line = Line()
    assert await asked(line) == sorted(TOLD)
    line = Line()
    owned(line, FriendlyName="Ours")
    assert await asked(line) == sorted(TOLD)


OWN: Mapping[str, tuple[Mapping[str, str], list[str]]] = {
    "a message": ({"SmsUrl": f"{BASE}/own"}, ["/own", "/status", "/voice"]),
    "a call": ({"VoiceUrl": f"{BASE}/own"}, ["/inbound", "/own", "/status"]),
    "the end of a call": ({"StatusCallback": f"{BASE}/own"}, ["/inbound", "/own", "/voice"]),
    "an application": ({"VoiceUrl": f"{BASE}/own", "VoiceApplicationSid": "AP1"}, ["/app", "/inbound", "/status"]),
    "an application that nobody knows": (
        {"VoiceUrl": f"{BASE}/own", "VoiceApplicationSid": "AP2"},
        ["/inbound", "/own", "/status"],
    ),
}


@pytest.mark.parametrize("what", OWN)
async def test_what_a_number_has_a_url_for_goes_there(what: str) -> None:
    settings, paths = OWN[what]
    line = Line()
    line.account.applications["AP1"] = Target(f"{BASE}/app")
    sid = owned(line, **settings)
    assert await asked(line) == paths
    before = len(line.requests)
    line.change(f"IncomingPhoneNumbers/{sid}", 204, method="DELETE")
    await asked(line)
    assert sorted({path for path, _ in line.heard[before:]}) == sorted(TOLD), "released, it has none"


async def test_a_messaging_service_answers_for_its_numbers() -> None:
    line = Line()
    owned(line, SmsUrl=f"{BASE}/own")
    assert await asked(line, service=SERVICE) == sorted(TOLD)


async def test_a_sub_account_s_number_is_not_ours() -> None:
    line = Line()
    sid = owned(line, SmsUrl=f"{BASE}/own")
    line.account.numbers[sid].owner = "AC" + "9" * 32
    assert await asked(line) == sorted(TOLD)


async def test_methods_and_fallbacks_are_the_number_s() -> None:
    line = Line({"/sms": 500, "/voice-own": 500})
    fallbacks = {"SmsFallbackUrl": f"{BASE}/sms-spare", "VoiceFallbackUrl": f"{BASE}/voice-spare"}
    names = ("SmsMethod", "SmsFallbackMethod", "VoiceFallbackMethod", "StatusCallbackMethod")
    urls = {"SmsUrl": f"{BASE}/sms", "VoiceUrl": f"{BASE}/voice-own", "StatusCallback": f"{BASE}/end"}
    owned(line, **urls, **fallbacks, **dict.fromkeys(names, "GET"))
    await asked(line)
    assert {(path, request.method) for (path, _), request in zip(line.heard, line.requests, strict=True)} == {
        ("/sms", "GET"),
        ("/sms-spare", "GET"),
        ("/voice-own", "POST"),
        ("/voice-spare", "GET"),
        ("/end", "GET"),
    }
    (spare,) = line.at("/voice-spare")
    assert (spare["ErrorCode"], spare["ErrorUrl"]) == ("11200", f"{BASE}/voice-own")


async def test_the_fallback_of_what_was_told_is_not_the_number_s() -> None:
    line = Line({"/own": 500})
    owned(line, VoiceUrl=f"{BASE}/own")
    line.ring(fallback="/spare")
    await line.move()
    assert line.at("/spare") == []


async def test_the_truth_and_its_page_show_what_numbers_there_are() -> None:
    line = Line()
    sid = owned(line, VoiceUrl=f"{BASE}/own", FriendlyName="Front desk")
    found = truth(line.account, line.exchange.callbacks.deliveries, {}, {})
    assert found["numbers"] == [
        {
            "sid": sid,
            "phone_number": OURS,
            "friendly_name": "Front desk",
            "account_sid": line.account.sid,
            "VoiceUrl": f"{BASE}/own",
            "SmsUrl": None,
            "StatusCallback": None,
            "deleted": False,
        }
    ]
    assert tables(found)["numbers"] == found["numbers"]
    assert "Front desk" in page(found, "numbers", 1)
