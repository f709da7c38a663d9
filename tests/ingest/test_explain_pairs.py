"""Explaining: any two of the usual faults are found together. Each pair is a search of its own, so this takes long."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from urllib.parse import parse_qsl, urlencode

import pytest

from ingest.explain import Captured, Hint
from tests.ingest.test_explain import SMS, hints, signed

pytestmark = pytest.mark.long


def _reformed(captured: Captured, change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]) -> Captured:
    return replace(captured, body=urlencode(change(parse_qsl(captured.body, keep_blank_values=True))))


FAULTS: Mapping[Hint, Callable[[Captured], Captured]] = {
    Hint.SCHEME: lambda it: replace(it, url=it.url.replace("https:", "http:")),
    Hint.HOST: lambda it: replace(it, url=it.url.replace("hooks.example.com", "app")),
    Hint.PORT: lambda it: replace(it, url=it.url.replace(":8443", "")),
    Hint.PATH_SLASH: lambda it: replace(it, url=it.url.replace("?", "/?")),
    Hint.QUERY_ENCODING: lambda it: replace(it, url=it.url.replace("%20", "+").replace(",", "%2C")),
    Hint.EMPTY_PARAMETER_DROPPED: lambda it: _reformed(it, lambda form: [pair for pair in form if pair[1]]),
    Hint.EMPTY_PARAMETER_ADDED: lambda it: _reformed(it, lambda form: [*form, ("Extra", "")]),
    Hint.VALUE_TRIMMED: lambda it: _reformed(it, lambda form: [(name, value.strip()) for name, value in form]),
    Hint.PLUS_DECODED: lambda it: _reformed(
        it, lambda form: [(name, value.replace("+1", " 1")) for name, value in form]
    ),
}


@pytest.mark.parametrize(("one", "other"), list(combinations(FAULTS, 2)))
def test_any_two_faults_are_found_together(one: Hint, other: Hint) -> None:
    there = signed("https://hooks.example.com:8443/x?d=e,f&g=a%20b", {**SMS, "Body": " Hello\n", "ProfileName": "Ann "})
    if {one, other} == {Hint.VALUE_TRIMMED, Hint.PLUS_DECODED}:  # trimmed first, or the decoded plus would go as well
        one, other = Hint.VALUE_TRIMMED, Hint.PLUS_DECODED
    if {one, other} == {Hint.EMPTY_PARAMETER_DROPPED, Hint.EMPTY_PARAMETER_ADDED}:  # or it would go again
        one, other = Hint.EMPTY_PARAMETER_DROPPED, Hint.EMPTY_PARAMETER_ADDED
    assert set(hints(FAULTS[other](FAULTS[one](there)))) == {one, other}
