"""Hints: what can have happened to a request between the provider and us, and what each means to who reads it. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from ingest.signature import BODY_HASH_PARAMETER


class Hint(StrEnum):
    SCHEME = "scheme"
    HOST = "host"
    PORT = "port"
    PATH = "path"
    PATH_SLASH = "path_slash"
    PATH_ENCODING = "path_encoding"
    QUERY_ENCODING = "query_encoding"
    QUERY_LOST = "query_lost"
    EMPTY_PARAMETER_DROPPED = "empty_parameter_dropped"
    EMPTY_PARAMETER_ADDED = "empty_parameter_added"
    VALUE_TRIMMED = "value_trimmed"
    PLUS_DECODED = "plus_decoded"
    NEWLINES_CHANGED = "newlines_changed"
    QUERY_MERGED = "query_merged"
    PARAMETERS_NOT_SIGNED = "parameters_not_signed"
    OTHER_ALGORITHM = "other_algorithm"
    OTHER_KEY = "other_key"
    EXPIRED_KEY = "expired_key"
    UNKNOWN_ACCOUNT = "unknown_account"
    BODY_ALTERED = "body_altered"
    BODY_UNREADABLE = "body_unreadable"
    URL_UNREADABLE = "url_unreadable"
    REQUEST_UNREADABLE = "request_unreadable"
    NO_SIGNATURE = "no_signature"
    NOTHING_MATCHES = "nothing_matches"


MEANING: Mapping[Hint, str] = {
    Hint.SCHEME: "the other scheme matches: TLS ends before you, so verify the URL that the provider called",
    Hint.HOST: "another host matches: a proxy rewrote it; set the public base URL",
    Hint.PORT: "another port matches: a proxy changed or dropped it; set the public base URL",
    Hint.PATH: "another path matches: a proxy rewrote it; verify the one that the provider called",
    Hint.PATH_SLASH: "the path with, or without, a slash matches: something redirected or normalised it",
    Hint.PATH_ENCODING: "the path in another encoding matches: use the request target as it came, byte for byte",
    Hint.QUERY_ENCODING: "the query spelt or ordered another way matches: use the request target as it came",
    Hint.QUERY_LOST: "the URL without its query, without a part of it, or with one that was lost, matches",
    Hint.EMPTY_PARAMETER_DROPPED: "with an empty parameter it matches: a framework dropped those without a value",
    Hint.EMPTY_PARAMETER_ADDED: "without an empty parameter it matches: something added those without a value",
    Hint.VALUE_TRIMMED: "with white space around a value it matches: a framework trims values",
    Hint.PLUS_DECODED: "with `+` for a space, or the reverse, it matches: the form was decoded twice or not at all",
    Hint.NEWLINES_CHANGED: "with other line ends in a value it matches",
    Hint.QUERY_MERGED: "with the body's parameters alone, or with those of the query among them, it matches",
    Hint.PARAMETERS_NOT_SIGNED: "the URL alone matches: only a form in the body of a POST is signed with it",
    Hint.OTHER_ALGORITHM: "the same key with another algorithm matches: see the account's signature settings",
    Hint.OTHER_KEY: "the key of another account, or not the one that the request names, matches: look at who owns it",
    Hint.EXPIRED_KEY: "an expired key matches: the provider still signs with it",
    Hint.UNKNOWN_ACCOUNT: "no key is known of the account that it names, and no other key matches",
    Hint.BODY_ALTERED: f"the body was changed on the way: it is not what was signed or what {BODY_HASH_PARAMETER} says",
    Hint.BODY_UNREADABLE: "the body is not the form in UTF-8 that its content type says",
    Hint.URL_UNREADABLE: "the URL is not http(s)://host…, so it is not what the provider called",
    Hint.REQUEST_UNREADABLE: "this is no captured request: see the detail",
    Hint.NO_SIGNATURE: "there is no X-Twilio-Signature header: not from the provider, or a proxy dropped it",
    Hint.NOTHING_MATCHES: "no usual change reproduces the signature: another key, or it is forged",
}
