"""What the shipped talk must be: half an hour, readable by the worker, a quarter of it raw."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from worker.intake.entries import Entry, EntryLimits, parse_entry

Row = dict[str, Any]


@pytest.fixture(scope="module")
def talk() -> list[Row]:
    text = (files("worker.demo") / "sample.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_talk_is_half_an_hour_of_at_least_four_thousand_words(talk: list[Row]) -> None:
    assert sum(len(row["text"].split()) for row in talk) >= 4000
    assert 25 * 60 <= talk[-1]["end"] <= 40 * 60


def test_times_never_go_back(talk: list[Row]) -> None:
    assert all(row["start"] < row["end"] for row in talk)
    assert all(before["end"] <= after["start"] for before, after in pairwise(talk))


def test_nobody_speaks_faster_than_people_do(talk: list[Row]) -> None:
    assert all(len(row["text"].split()) / (row["end"] - row["start"]) < 4 for row in talk)


def test_worker_reads_every_line(talk: list[Row]) -> None:
    for row in talk:
        fields = {name.encode(): str(value).encode() for name, value in row.items()}
        entry = parse_entry("1-0", fields, EntryLimits())
        assert isinstance(entry, Entry)
        assert entry.text == row["text"]
        assert entry.extra == {}


def test_nothing_is_said_twice(talk: list[Row]) -> None:
    assert Counter(row["text"] for row in talk).most_common(1)[0][1] == 1


def test_two_speakers_come_through_a_raw_recogniser(talk: list[Row]) -> None:
    raw = [row for row in talk if row["text"] == row["text"].lower()]
    assert {row["speaker"] for row in raw} == {"Ruben", "Priya"}
    assert all(row["speaker"] not in {"Ruben", "Priya"} for row in talk if row not in raw)
    assert 0.2 <= len(raw) / len(talk) <= 0.3
    assert not any(mark in row["text"] for row in raw for mark in ".,?!;:")
