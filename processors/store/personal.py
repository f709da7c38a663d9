"""What of a row is about a person, and how it is scrubbed: sealed, so that a repetition does not bring it back."""

from collections.abc import Iterable, Mapping, Sequence

from processors.contract.changes import Kind
from processors.contract.phone import occurrence
from processors.domain.facts import Attribute, Facts, Resource

PERSONAL: Mapping[Kind, Sequence[str]] = {
    "message": ("from", "to", "body", "error_message"),
    "call": ("from", "to", "forwarded_from", "caller_name"),
    "recording": ("transcription_text",),
    "conference": ("friendly_name", "participant_label_ending_conference"),
    "participant": ("participant_label",),
}
"""Attributes that hold a number, a name, or text that a person wrote or said."""

SEALED: Attribute = ("", 2**53, "")
"""Outranks whatever the provider says: its sequence numbers count a call's or a conference's callbacks."""


def is_about(row: Resource, number: str) -> bool:
    """Whether the number occurs anywhere in the row, as an address or within a text."""
    pattern = occurrence(number)
    return any(isinstance(each[0], str) and pattern.search(each[0]) for each in row.facts.attributes.values())


def scrubbed(row: Resource, number: str) -> Resource:
    """The row without personal data, and without the number wherever else it stands. One version on."""
    pattern = occurrence(number)
    sealed = dict.fromkeys(PERSONAL[row.kind], SEALED)
    for name, (value, *_) in row.facts.attributes.items():
        if isinstance(value, str) and pattern.search(value):
            sealed[name] = SEALED
    facts = row.facts
    if all(facts.attributes.get(name) == SEALED for name in sealed):
        return row
    return row._replace(version=row.version + 1, facts=Facts(*facts[:3], {**facts.attributes, **sealed}))


def children_of(sid: str, rows: Iterable[Resource]) -> Sequence[Resource]:
    links = ("call_sid", "parent_call_sid", "conference_sid")
    return sorted(row for row in rows if any(row.facts.value(name) == sid for name in links))
