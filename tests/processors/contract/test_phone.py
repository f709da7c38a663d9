"""A number as people write it, as it stands in texts, and as it is shown."""

import pytest

from processors.contract.phone import masked, occurrence, read_number

NUMBER = "+15552223333"


@pytest.mark.parametrize("text", [NUMBER, "+1 (555) 222-3333", "+1.555.222.3333\n"])
def test_a_number_is_taken_as_people_write_it(text: str) -> None:
    assert read_number(text) == NUMBER


@pytest.mark.parametrize("text", ["", "5552223333", "+1", "+1555222333x", "whatsapp:+15552223333", "%"])
def test_what_is_no_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="no number") as refused:
        read_number(text)
    assert not text or text not in str(refused.value)


def test_it_is_found_in_a_text_and_a_longer_one_is_not_it() -> None:
    for text in (NUMBER, f"whatsapp:{NUMBER}", f"call {NUMBER}."):
        assert occurrence(NUMBER).search(text)
    for text in (f"{NUMBER}7", f"1{NUMBER}", NUMBER[:-1]):
        assert not occurrence(NUMBER).search(text)


@pytest.mark.parametrize(
    ("address", "shown"),
    [(NUMBER, "…3333"), (f"whatsapp:{NUMBER}", "…3333"), ("client:ann", "…"), ("12345", "…"), ("sip:bob@x.com", "…")],
)
def test_of_an_address_the_last_digits_are_shown_or_nothing(address: str, shown: str) -> None:
    assert masked(address) == shown
