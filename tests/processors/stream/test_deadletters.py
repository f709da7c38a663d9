"""Dead letters keep what they need to be put back, and the breaker tells a bad deploy from bad records."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from processors.stream.batch import Batch, Record
from processors.stream.deadletters import Breaker, TooManyDeadLetters, dead_letter
from processors.stream.settings import StreamSettings


def batch(count: int, start: int = 0, partition: int = 0) -> Batch:
    records = [Record("comms.messages", partition, n, 0, b"k", b"v", ()) for n in range(start, start + count)]
    return Batch("comms.messages", partition, records)


def judged(breaker: Breaker, batches: Sequence[tuple[int, int]], every: float = 0.0) -> None:
    """Batches of so many records of which so many are bad, one after another."""
    start = 0
    for n, (count, bad) in enumerate(batches):
        breaker.judge(batch(count, start), bad, n * every)
        start += count


def test_a_topic_of_which_nothing_can_be_read_is_not_drained() -> None:
    breaker = Breaker()
    with pytest.raises(TooManyDeadLetters, match="1000 of the last 1000 records could not be read"):
        judged(breaker, [(1000, 1000)])


def test_small_batches_are_taken_together() -> None:
    with pytest.raises(TooManyDeadLetters, match="200 of the last 200"):
        judged(Breaker(), [(1, 1)] * 200)
    judged(Breaker(), [(1, 1)] * 199)


def test_a_deploy_that_breaks_half_of_it_is_noticed_after_much_that_was_good() -> None:
    judged(good := Breaker(), [(1000, 0)] * 50)
    with pytest.raises(TooManyDeadLetters):
        good.judge(batch(1000, 50_000), 600, 0.0)


@pytest.mark.parametrize("bad", [[(100, 1)] * 1000, [(1000, 10)] * 100, [(1, 0)] * 99 + [(1, 1)]])
def test_one_percent_of_bad_records_stops_nobody(bad: Sequence[tuple[int, int]]) -> None:
    judged(Breaker(), bad)


def test_a_handful_of_bad_records_on_a_quiet_topic_stops_nobody_however_long_it_goes_on() -> None:
    judged(Breaker(), [(5, 5)])
    judged(Breaker(), [(1, 1)] * 10_000, every=60.0)


def test_a_batch_that_is_tried_again_is_judged_once() -> None:
    breaker = Breaker()
    for _ in range(1000):
        breaker.judge(batch(1), 1, 0.0)
    breaker.judge(batch(1, partition=1), 1, 0.0)


def test_a_batch_that_tripped_it_trips_it_again() -> None:
    breaker = Breaker()
    for _ in range(2):
        with pytest.raises(TooManyDeadLetters):
            breaker.judge(batch(300), 300, 0.0)


def test_a_run_is_broken_by_what_can_be_read() -> None:
    judged(Breaker(ratio=0), [(499, 499), (1, 0), (499, 499)])
    with pytest.raises(TooManyDeadLetters, match="500 records in a row"):
        judged(Breaker(ratio=0), [(300, 300), (200, 200)])


def test_both_can_be_turned_off() -> None:
    settings = StreamSettings(dead_letter_ratio=0, dead_letter_run=0)
    judged(Breaker.of(settings), [(1000, 1000)] * 10)


def test_a_dead_letter_keeps_the_record_and_how_often_it_was_put_back() -> None:
    headers = (("ce_id", b"1"), ("dl_reason", b"older"), ("dl_redriven", b"2"))
    record = Record("comms.calls", 3, 42, 0, b"k", b"v", headers)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    letter = dead_letter(record, stage="processors", reason="empty", topic="comms.dead-letters", at=at)
    assert (letter.topic, letter.key, letter.value) == ("comms.dead-letters", b"k", b"v")
    assert letter.headers == (
        ("ce_id", b"1"),
        ("dl_redriven", b"2"),
        ("dl_topic", b"comms.calls"),
        ("dl_partition", b"3"),
        ("dl_offset", b"42"),
        ("dl_stage", b"processors"),
        ("dl_reason", b"empty"),
        ("dl_time", b"2026-01-01T00:00:00Z"),
    )
