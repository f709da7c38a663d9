"""Error classes: each code has one, and whoever has opted out is in no class that is worth trying again."""

from processors.domain.errors import CLASSES, CODES, error_class


def test_no_code_is_in_two_classes() -> None:
    codes = [code for some in CODES.values() for code in some]
    assert len(codes) == len(set(codes))


def test_every_code_has_its_class_and_all_others_are_other() -> None:
    assert {error_class(code) for some in CODES.values() for code in some} == set(CODES)
    assert error_class(65_535) == "other"
    assert set(CLASSES) == {*CODES, "other"}


def test_whoever_opted_out_is_a_class_of_their_own() -> None:
    assert CODES["opted_out"] == (21610,)
    assert error_class(21610) == "opted_out"
