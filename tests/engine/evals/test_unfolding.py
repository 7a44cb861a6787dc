"""Measures of a summary that is kept up to date, worked out by hand."""

from __future__ import annotations

import pytest

from engine.evals.unfolding import (
    State,
    area,
    coverage,
    erasure,
    grounded,
    latency,
    redundancy,
)


def test_the_area_counts_each_state_for_as_long_as_it_stands() -> None:
    states = [State(25, "gates stick"), State(75, "gates open")]
    # Nothing for 25 words, 1 of 2 for 50, all for 25.
    assert area(states, "gates open", 100) == pytest.approx(0.25 * 0 + 0.5 * 0.5 + 0.25 * 1)
    assert area([], "gates", 100) == 0


def test_latency_is_counted_from_where_a_word_was_said_last_to_where_it_comes_in() -> None:
    said = ["gates", "a", "b", "gates", "c", "water", "d", "e"]
    # "gates": said as word 3, in after word 5 of 0 to 5; "water" as 5, in after word 7.
    states = [State(6, "gates"), State(8, "gates water")]
    assert latency(states, said) == pytest.approx((2 + 2) / 2)
    assert latency([State(3, "unheard")], said) is None


def test_erasure_is_what_a_reader_finds_gone() -> None:
    states = [State(1, "a b c d"), State(2, "a b d e"), State(3, "a b d e f")]
    assert erasure(states) == pytest.approx(((1 - 3 / 4) + 0) / 2)
    assert erasure(states[:1]) == 0


def test_redundancy_is_the_share_of_pairs_that_come_again() -> None:
    assert redundancy("a b a b") == pytest.approx(1 / 3)
    assert redundancy("a") == 0


def test_coverage_counts_the_tenths_that_have_a_say() -> None:
    said = [f"w{i}" for i in range(100)]
    assert coverage("w1 w2 w3 and w55 w56 w57", said) == pytest.approx(0.2)
    assert coverage("w1 w3 w5", said) == 0


def test_numbers_and_names_are_looked_up_in_what_was_said() -> None:
    said = ["we", "paid", "25", "000", "to", "priya"]
    assert grounded("We paid 25,000 to Priya, not 30 to Bo.", said) == (3, 5)
    assert grounded("Nothing here.", said) == (0, 0)
