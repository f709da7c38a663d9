"""Captured requests: every spelling in which one is saved is read as what was sent."""

import json

import pytest

from ingest.explain import Captured, Uncaptured, Unread, account_sid, read

CURL = """curl -v -X POST 'https://h.example.com/x?y=1' \\
  -H 'X-Twilio-Signature: abc=' -H "Content-Type: text/plain" --data 'A=1' --data-raw 'B=2'"""
RAW = "> POST /x?y=1 HTTP/1.1\r\n> Host: h.example.com\r\n> X-Twilio-Signature: abc=\r\n>\r\nA=1&B=2\r\n"
OBJECT = {
    "method": "post",
    "url": "https://h.example.com/x?y=1",
    "headers": {"X-Twilio-Signature": "abc="},
    "body": "A=1&B=2",
}


def only(text: str) -> Captured:
    (captured,) = read(text)
    assert isinstance(captured, Captured)
    return captured


@pytest.mark.parametrize(
    "text",
    [
        CURL,
        RAW,
        json.dumps(OBJECT),
        json.dumps([OBJECT]),
        json.dumps(OBJECT, indent=2),
        json.dumps({**OBJECT, "headers": [["X-Twilio-Signature", "abc="]]}),
        json.dumps({**OBJECT, "headers": {"x-twilio-signature": ["abc="]}}),
        json.dumps({**OBJECT, "url": "/x?y=1", "headers": {"Host": "h.example.com", "X-Twilio-Signature": "abc="}}),
    ],
)
def test_a_request_is_read_in_every_spelling(text: str) -> None:
    captured = only(text)
    assert (captured.method, captured.url) == ("POST", "https://h.example.com/x?y=1")
    assert (captured.header("X-Twilio-Signature"), captured.body) == ("abc=", "A=1&B=2")


URL = "https://h.example.com/x"


@pytest.mark.parametrize(
    ("command", "method", "url", "body"),
    [
        (f"curl -b c=d {URL} -d A=1 -d B=2", "POST", URL, "A=1&B=2"),
        (f"curl -sSL -o out.txt -m 5 --cookie c=d -A agent -u a:b {URL}", "GET", URL, ""),
        (f"curl --url {URL} -XPUT -dA=1", "PUT", URL, "A=1"),
        (f"curl -sX POST {URL}", "POST", URL, ""),
        (f"curl {URL} --data-urlencode 'Body=a b&c' --data-urlencode '=x y' --data-urlencode z/", "POST", URL,
         "Body=a%20b%26c&x%20y&z%2F"),
        (f"curl -G {URL} -d A=1 --data-urlencode 'B=a b'", "GET", f"{URL}?A=1&B=a%20b", ""),
        (f"curl {URL}?y=1 --get -d A=1", "GET", f"{URL}?y=1&A=1", ""),
        (f"curl {URL} --data-raw $'Body=it\\'s\\r\\n\\u00e9\\xc3\\xa9'", "POST", URL, "Body=it's\r\néé"),
        (f"curl \\\n  '{URL}' \\\r\n  -d 'A=1\\\nB'", "POST", URL, "A=1\\\nB"),
        (f"$ curl {URL} -d A=1 | jq .", "POST", URL, "A=1"),
        (f"curl {URL} -d 'A=1|2;3&B=>'", "POST", URL, "A=1|2;3&B=>"),
        ("curl h.example.com/x", "GET", "http://h.example.com/x", ""),
        (f"curl --json '{{}}' {URL}", "POST", URL, "{}"),
    ],
)  # fmt: skip
def test_a_curl_command_is_read_as_curl_reads_it(command: str, method: str, url: str, body: str) -> None:
    captured = only(command)
    assert (captured.method, captured.url, captured.body) == (method, url, body)


def test_the_headers_of_a_curl_command_are_those_it_sends() -> None:
    captured = only(f"curl {URL} -H 'X-A: 1' --header 'x-b:2' -H'X-C: a:b' -d A=1")
    form = "application/x-www-form-urlencoded"
    assert captured.headers == {"x-a": "1", "x-b": "2", "x-c": "a:b", "content-type": form}
    assert only(f"curl {URL} -H 'Content-Type: text/plain' -d A=1").header("content-type") == "text/plain"


def test_several_commands_are_several_requests() -> None:
    found = read(f"curl {URL}/1 \\\n -d A=1\n\n# another\ncurl {URL}/2\ncurl -d\n")
    assert [(each.id, isinstance(each, Captured)) for each in found] == [("1", True), ("2", True), ("3", False)]


def test_a_message_keeps_the_line_ends_of_its_body() -> None:
    head = "POST /x HTTP/1.1\r\nHost: h.example.com\r\n"
    assert only(f"{head}\r\nBody=a\r\nb\n").body == "Body=a\r\nb"
    assert only(f"{head}Content-Length: 10\r\n\r\nBody=a\r\nb\r\n\r\n").body == "Body=a\r\nb\r"
    assert only(f"{head}\r\nBody=a\n\nb").body == "Body=a\n\nb"


def test_what_proxies_add_to_a_header_is_kept_and_else_the_first_value_counts() -> None:
    lines = "Host: h\nX-A: 1\nX-A: 2\nX-Forwarded-Host: a\nX-Forwarded-Host: b\n"
    captured = only(f"GET /x HTTP/1.1\n{lines}\n")
    assert (captured.header("x-a"), captured.header("x-forwarded-host")) == ("1", "a, b")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "hello", '{"url": 1}', "[1]", "{}\nnonsense", "curl -X POST", "curl 'x", "curl h -d @file",
        "POST /x HTTP/1.1\n\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_told(text: str) -> None:
    with pytest.raises(Uncaptured):
        read(text)


def test_a_line_that_is_no_request_does_not_lose_the_others() -> None:
    good, other = json.dumps(OBJECT), json.dumps({**OBJECT, "id": "z", "body": "Body=\u2028"}, ensure_ascii=False)
    found = read(f'{good}\nnonsense\n{{"id": "y"}}\n{{"id": "w", "url": "u", "body": 1}}\n\r\n{other}\n')
    assert [(each.id, isinstance(each, Unread)) for each in found] == [
        ("1", False), ("2", True), ("y", True), ("w", True), ("z", False),
    ]  # fmt: skip


def test_lines_of_requests_are_read_with_their_ids_and_accounts_found() -> None:
    found = read('{"id": "a", "url": "https://h/x?AccountSid=AC1", "method": "GET"}\n\n{"url": "https://h/y"}\n')
    told = [(each.id, account_sid(each)) for each in found if isinstance(each, Captured)]
    assert told == [("a", "AC1"), ("3", None)]
