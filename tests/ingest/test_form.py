"""Forms: what the standard library reads, we read; what is not UTF-8 is refused."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.form import MAX_FIELDS, Unreadable, read_form

PIECES = st.sampled_from(
    [b"&", b"=", b"+", b"%", b"%20", b"%2b", b"%zz", b"%C3%A9", b"%c3", b"a", b"Body", b";", "é".encode(), b"\xff"]
)


@given(pieces=st.lists(PIECES, max_size=30))
def test_a_form_is_read_as_the_standard_library_reads_it(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    try:
        expected = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", separator="&")
    except UnicodeDecodeError:
        with pytest.raises(Unreadable):
            read_form(raw)
    else:
        assert read_form(raw) == expected


def test_the_number_of_fields_is_bounded() -> None:
    assert len(read_form(b"a=1&" * (MAX_FIELDS - 1) + b"a=1")) == MAX_FIELDS
    with pytest.raises(Unreadable):
        read_form(b"a=1&" * MAX_FIELDS + b"a=1")
