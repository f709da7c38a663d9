"""The file of a bulk: all of it is checked before the first row is asked for, and each mistake told with its line."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from processors.contract.actions import CreateMessage
from sinks.acting.bulk.batch import TOLD, Batch, Changed
from sinks.acting.bulk.command import batch_of, parser
from sinks.acting.bulk.table import LONGEST
from sinks.acting.bulk.templates import InvalidTemplate, template
from sinks.acting.mistakes import Mistaken
from sinks.acting.reading import Whom, unknown_of
from tests.sinks.acting.given import ACCOUNT, OTHER, OURS, WHOM

ANN, BOB = "+12025550100", "+12025550101"
FROM = ("--from", OURS)
HELLO = (*FROM, "--body-template", "Hello {name}")

Made = Callable[..., Batch]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def batch(file: Path, content: str | bytes, *words: str, whom: Whom = WHOM) -> Batch:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    words = tuple(str(file) if word == file.name else word for word in words)
    made = parser()
    chosen, unknown = made.parse_known_args([str(file), *words])
    assert isinstance(chosen, argparse.Namespace)
    return batch_of(chosen, unknown_of(unknown, made), whom)


def actions(made: Batch) -> Sequence[CreateMessage]:
    return [action for _, action in made.actions()]


def mistakes(file: Path, content: str | bytes, *words: str) -> list[str]:
    with pytest.raises(Mistaken) as raised:
        batch(file, content, *words)
    told = [line.removeprefix(f"{file}: ") for line in raised.value.mistakes]
    assert not any(secret in line for line in told for secret in (ANN, BOB))
    return told


def test_a_row_is_a_message(file: Path) -> None:
    made = batch(file, f'to,name\n{ANN},Ann\n"{BOB}","Bo ""b"", {{name}}"\n', *HELLO)
    ann, bob = actions(made)
    assert (ann.to, ann.from_, ann.body, ann.account_sid) == (ANN, OURS, "Hello Ann", ACCOUNT)
    assert bob.body == 'Hello Bo "b", {name}', "a cell is no template"
    assert (made.count, ann.id, bob.id) == (2, f"{made.prefix}1", f"{made.prefix}2")
    assert ann.ordering_key != bob.ordering_key
    assert ANN not in ann.ordering_key + ann.id


def test_columns_are_parameters_however_they_are_written(file: Path) -> None:
    text = f'To,Media-URL,smart_encoded,content_variables,not_before\n{ANN},https://a https://b,true,"{{""1"":""x""}}",2026-12-01T09:00:00Z\n{BOB},,,,\n'
    ann, bob = actions(batch(file, text, *FROM, "--body", "x", "--content-sid", "HX" + "0" * 32))
    assert ann.media_url == ("https://a", "https://b")
    assert ann.content_variables == {"1": "x"}
    assert (ann.smart_encoded, bob.smart_encoded, bob.not_before) == (True, None, None), "an empty cell says nothing"


def test_variables_of_a_template_are_filled_from_columns(file: Path) -> None:
    words = (*FROM, "--content-sid", "HX" + "0" * 32, "--content-variables", "1={name}", "--content-variables", "2=x")
    [ann] = actions(batch(file, f"to,name\n{ANN},Ann\n", *words))
    assert ann.content_variables == {"1": "Ann", "2": "x"}


@pytest.mark.parametrize("text", ["{0}", "{}", "{name.__class__}", "{name[0]}", "{name!r}", "{name:>9}", "{name", "}"])
def test_a_template_looks_into_nothing(file: Path, text: str) -> None:
    told = mistakes(file, f"to,name\n{ANN},Ann\n", *FROM, "--body-template", text)
    assert any(line.startswith("--body-template: ") for line in told)


def test_a_template_says_what_it_needs() -> None:
    made = template("Hi {First Name}, {{code}}: {code}")
    assert made.columns == {"First Name", "code"}
    assert made.filled({"First Name": "Ann", "code": "{x}"}) == "Hi Ann, {code}: {x}"
    with pytest.raises(InvalidTemplate, match="a brace that is meant is written twice"):
        template("{")


def test_a_mark_quotes_line_breaks_and_empty_lines_are_read(file: Path) -> None:
    made = batch(file, f'\ufeffto,name\r\n{ANN},"Ann\r\nB."\r\n\r\n{BOB},Bob\r\n', *HELLO)
    assert [each.body for each in actions(made)] == ["Hello Ann\r\nB.", "Hello Bob"]


def test_cells_may_be_parted_by_something_else(file: Path) -> None:
    assert batch(file, f"to;name\n{ANN};Ann\n", *HELLO, "--delimiter", ";").count == 1
    assert batch(file, f"to\tname\n{ANN}\tAnn\n", *HELLO, "--delimiter", "TAB").count == 1


def test_every_mistake_of_every_row_is_told_with_its_line(file: Path) -> None:
    text = f'to,name,validity_period\n{ANN},Ann,1\n12,"B\nob",soon\n{BOB},Bob\n{BOB},Bob,0\n'
    assert mistakes(file, text, *HELLO) == [
        "line 3: to: is a number such as +15551234567, a short code, or an address such as whatsapp:+15551234567 or "
        "client:ann",
        "line 3: validity_period: is a whole number",
        "line 5: has 2 cells, not 3",
        "line 6: validity_period: is at least 1",
    ]


@pytest.mark.parametrize(
    ("content", "words", "told"),
    [
        ("", (), "is empty: its first row names the columns"),
        ("\nto,name\n", (), "is empty: its first row names the columns"),
        (f"to,name,To\n{ANN},Ann,{BOB}\n", (), "two columns are to"),
        ("to,name\n", (), "line 2: is where the first row would be: there is none"),
        ("to,name,name\n", (), "two columns are called name"),
        ("to,,name\n", (), "column 2 has no name"),
        (f"{ANN},Ann\n", (), "holds a number in its first row"),
        (
            b"to,name\n" + b"x" * LONGEST + b"\n",
            (),
            f"line 2: is no CSV from here on: a line has more than {LONGEST:,}",
        ),
        ("to;name\n", (), "columns are parted by ';': say --delimiter ';'"),
        ("to\tname\n", (), "columns are parted by '\\t': say --delimiter TAB"),
        ("to,name\n".encode("utf-16"), (), "is UTF-16: save it as UTF-8"),
        (b"to,name\n+12025550100,J\xf6rg\n", (), "line 2: is not UTF-8"),
        (f'to,name\n{ANN},"Ann', (), "line 2: is no CSV from here on: unexpected end of data"),
        (f"to,name,age\n{ANN},Ann,7\n", (), "column age: is no parameter of messages.create and named nowhere; "),
        (f"to,name,from\n{ANN},Ann,{OURS}\n", (), "column from: is said by an option too"),
        (f"to,name,body\n{ANN},Ann,x\n", (), "column body: is said by an option too"),
        (f"to\n{ANN}\n", (), "--body-template: there is no column name"),
        (f"to,name\n{ANN},Ann\n", ("--key", "id"), "--key: there is no column id"),
        (f"to,name\n{ANN},Ann\n", ("--key", "name", "--batch", "a b"), "--batch: is made of letters"),
        (f"to,name\n{ANN},Ann\n", ("--ahead", "0"), "--ahead: is at least 1"),
        (f"to,name\n{ANN},Ann\n", ("--colour", "red"), "--colour: there is no such option"),
        (f"to,name\n{ANN},Ann\n", ("--out", "people.csv"), "--out: is the file that is read"),
    ],
)
def test_what_keeps_a_file_from_being_asked_for(
    file: Path, content: str | bytes, words: tuple[str, ...], told: str
) -> None:
    assert mistakes(file, content, *HELLO, *words)[0].startswith(told)


def test_of_many_mistakes_the_first_are_told(file: Path) -> None:
    told = mistakes(file, "to,name\n" + "12,Ann\n" * 1234, *HELLO)
    assert len(told) == TOLD + 1
    assert told[-1] == "and 1,184 more"


def test_a_file_that_changes_after_it_was_checked_is_not_asked_for(file: Path) -> None:
    made = batch(file, f"to,name\n{ANN},Ann\n", *HELLO)
    file.write_text(f"to,name\n{BOB},Ann Marie\n")
    with pytest.raises(Changed):
        actions(made)
    file.unlink()
    with pytest.raises(Changed):
        actions(made)


def test_nor_is_what_follows_once_it_changes_on_the_way(file: Path) -> None:
    made = batch(file, f"to,name\n{ANN},Ann\n{BOB},Bob\n", *HELLO).actions()
    assert next(made)[1].to == ANN
    file.write_text(f"to,name\n{ANN},Ann\n{BOB},Eve\n{BOB},Bob\n")
    with pytest.raises(Changed):
        next(made)


def test_who_is_told_the_same_twice_is_noticed(file: Path) -> None:
    text = f"to,name\n{ANN},Ann\n{ANN},Anna\n{ANN},Ann\n"
    [line] = mistakes(file, text, *HELLO)
    assert line.startswith("line 4: says the same to the same recipient")
    assert batch(file, text, *HELLO, "--allow-duplicates").count == 3


def test_other_columns_can_be_ignored_or_tell_rows_apart(file: Path) -> None:
    text = f"to,name,crm\n{ANN},Ann,7\n{BOB},Bob,8\n"
    assert batch(file, text, *HELLO, "--ignore-columns").count == 2
    key = (*HELLO, "--key", "crm", "--batch", "may")
    ids = [each.id for each in actions(batch(file, text, *key))]
    assert [each.id for each in actions(batch(file, f"to,name,crm\n{BOB},Bob,8\n{ANN},Ann,7\n", *key))] == ids[::-1]
    assert mistakes(file, f"to,name,crm\n{ANN},Ann,7\n{BOB},Bob,7\n{OURS},C,\n", *HELLO, "--key", "crm") == [
        "line 3: has the crm of one before: it tells rows apart",
        "line 4: its key is empty",
    ]


def test_a_row_has_the_same_id_whenever_the_same_is_said(file: Path) -> None:
    text = f"to,name\n{ANN},Ann\n"
    first = batch(file, text, *HELLO)
    assert batch(file, text, *HELLO).prefix == first.prefix
    others = [
        batch(file, text, *FROM, "--body-template", "Bye {name}"),
        batch(file, f"to,name\n{ANN},Anna\n", *HELLO),
        batch(file, text, *HELLO, "--account", OTHER),
        batch(file, text, *HELLO, "--batch", "may", "--key", "to"),
    ]
    assert len({first.prefix, *(each.prefix for each in others)}) == 5
    named = batch(file, f"to,name\n{ANN},Anna\n", *HELLO, "--batch", "may", "--key", "to")
    assert list(named.ids()) == list(others[-1].ids()), "its name is what a batch is, and its key what a row is"


def test_a_name_without_a_key_would_take_a_row_for_another(file: Path) -> None:
    [line] = mistakes(file, f"to,name\n{ANN},Ann\n", *HELLO, "--batch", "may")
    assert line.startswith("--batch: needs --key")


def test_no_id_tells_what_a_key_is(file: Path) -> None:
    text, words = f"to,name\n{ANN},Ann\n", (*HELLO, "--key", "to", "--batch", "may")
    [ours] = actions(batch(file, text, *words))
    [theirs] = actions(batch(file, text, *words, whom=WHOM._replace(hash_key=b"another key for hashes")))
    assert ours.id != theirs.id, "whoever does not know the key cannot try all numbers"
    with pytest.raises(Mistaken, match="--key: needs SWITCHHOOK_PROCESSORS_HASH_KEY"):
        batch(file, text, *words, whom=WHOM._replace(hash_key=None))


def test_an_id_is_of_one_row_of_one_batch(file: Path) -> None:
    for words in (("--ignore-columns",), ("--key", "crm")):
        each = batch(file, f"to,name,crm\n{ANN},Ann,7\n{BOB},Bob,8\n", *HELLO, *words)
        assert [(number, each.number(action.id)) for number, action in each.actions()] == [(1, 1), (2, 2)]
        assert sorted(each.ids()) == sorted((number, action.id) for number, action in each.actions())
        for other in ("act-1", f"{each.prefix}3", f"{each.prefix}x", f"{each.prefix}", f"{each.prefix}0"):
            assert each.number(other) is None
