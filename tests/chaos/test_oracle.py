"""The oracle sees every kind of harm, and none where there is none."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.chaos.oracle import Entries, Outputs, check
from tests.chaos.talks import PlainTalk, RewrittenTalk, Talk

Line = tuple[str, dict[str, str]]


def entries_of(talk: Talk, number: int = 40) -> list[Line]:
    entries = [(f"{n}-0", talk.next()) for n in range(1, number)]
    return [*entries, (f"{number}-0", {"end_of_stream": "1"})]


def faithful(entries: Entries) -> Outputs:
    """What a worker without a fault publishes of final entries: all of it, written a little
    otherwise, and a summary for every few lines."""
    read = [(i, f) for i, f in entries if "text" in f or "end_of_stream" in f]
    lines = [(f"9-{n}", {"entry": i, "text": _written(f)}) for n, (i, f) in enumerate(read)]
    with_text = [line["entry"] for _, line in lines if line["text"]]
    summaries = [
        (f"9-{n}", {"first": part[0], "last": part[-1], "tokens": "5"})
        for n in range(0, len(with_text), 7)
        if (part := with_text[n : n + 7])
    ]
    bad = [(i, {"entry_id": i, "reason": "no text"}) for i, f in entries if (i, f) not in read]
    return Outputs("live:a", entries, lines, summaries, bad)


def _written(fields: dict[str, str]) -> str:
    return fields["text"].capitalize() + "." if "text" in fields else ""


def rewritten(entries: Entries) -> Outputs:
    finals = [(i, f) for i, f in entries if f.get("final") == "1" or "end_of_stream" in f]
    return faithful(finals)


@pytest.fixture
def plain() -> Outputs:
    return faithful(entries_of(PlainTalk("live:a", 0, Random(1)), 120))


def kinds(outputs: Outputs, *, is_rewritten: bool = False, may_be_told: bool = False) -> set[str]:
    found = check(outputs, is_rewritten=is_rewritten, may_be_told=may_be_told)
    return {violation.kind for violation in found}


def changed(outputs: Outputs, **parts: Any) -> Outputs:
    return Outputs(**{**outputs.__dict__, **parts})


def test_a_stream_that_came_out_whole_has_no_violation(plain: Outputs) -> None:
    assert kinds(plain) == set()


def test_every_line_that_is_missing_is_seen(plain: Outputs) -> None:
    for at in range(len(plain.transcript)):
        lines = [*plain.transcript[:at], *plain.transcript[at + 1 :]]
        assert "lost" in kinds(changed(plain, transcript=lines))


def test_every_line_that_comes_again_is_seen(plain: Outputs) -> None:
    for at, line in enumerate(plain.transcript[:-2]):
        assert "twice" in kinds(changed(plain, transcript=[*plain.transcript, line]))
        if line[1]["text"]:
            doubled = [*plain.transcript[: at + 1], *plain.transcript[at:]]
            assert "twice" in kinds(changed(plain, transcript=doubled))


def test_every_letter_that_is_missing_is_seen(plain: Outputs) -> None:
    for at, (i, line) in enumerate(plain.transcript[:-1]):
        text = line["text"]
        shorter = (i, {**line, "text": text[:1] + text[2:]})
        lines = [*plain.transcript[:at], shorter, *plain.transcript[at + 1 :]]
        assert "altered" in kinds(changed(plain, transcript=lines))


def test_lines_that_change_places_are_seen(plain: Outputs) -> None:
    one, other, *rest = plain.transcript
    assert "order" in kinds(changed(plain, transcript=[other, one, *rest]))


def test_a_line_of_no_entry_is_seen(plain: Outputs) -> None:
    stray = ("9-99", {"entry": "77-7", "text": "Who said that?"})
    assert "nowhere" in kinds(changed(plain, transcript=[*plain.transcript, stray]))


def test_a_piece_by_piece_entry_is_one_entry(plain: Outputs) -> None:
    halves: list[Line] = []
    for i, line in plain.transcript:
        first, _, second = line["text"].partition(" ")
        halves += [(i, {**line, "text": first}), (i, {**line, "text": second})]
    assert "twice" not in kinds(changed(plain, transcript=halves))
    assert "altered" not in kinds(changed(plain, transcript=halves))


def test_a_gap_between_summaries_is_seen_and_so_is_an_overlap(plain: Outputs) -> None:
    for at in range(len(plain.summary)):
        fewer = [*plain.summary[:at], *plain.summary[at + 1 :]]
        assert "tiles" in kinds(changed(plain, summary=fewer))
    first, second, *rest = plain.summary
    assert "tiles" in kinds(changed(plain, summary=[first, first, second, *rest]))


def test_a_rejection_too_many_or_too_few_is_seen(plain: Outputs) -> None:
    assert plain.rejected
    assert "rejected" in kinds(changed(plain, rejected=plain.rejected[1:]))
    assert "rejected" in kinds(changed(plain, rejected=[*plain.rejected, plain.rejected[0]]))


def test_a_notice_is_allowed_where_something_was_lost_and_nowhere_else(plain: Outputs) -> None:
    fields = {"notice": "lost", "entry_id": "3-0", "reason": "the server lost what came after"}
    notice = ("9-99", fields)
    told = changed(plain, rejected=[*plain.rejected, notice])
    assert kinds(told) == {"told"}
    assert kinds(told, may_be_told=True) == set()


def test_what_an_input_had_before_it_was_deleted_may_be_cut_off_and_nothing_else(
    plain: Outputs,
) -> None:
    past = [(f"0-{n}", {"text": f"Earlier {n}."}) for n in range(1, 5)]
    lines = [(f"8-{n}", {"entry": i, "text": f["text"]}) for n, (i, f) in enumerate(past)]
    tiles = [("8-9", {"first": "0-1", "last": "0-4", "tokens": "9"}), *plain.summary]
    whole = changed(plain, past=[past], transcript=[*lines, *plain.transcript], summary=tiles)
    assert kinds(whole) == set()
    cut = changed(whole, transcript=[*lines[:2], *plain.transcript])
    assert "lost" not in kinds(cut)
    holed = changed(whole, transcript=[lines[0], lines[2], *plain.transcript])
    assert "lost" in kinds(holed)


@pytest.fixture
def recognised() -> Outputs:
    entries = entries_of(RewrittenTalk("live:a", 40, Random(2)), 60)
    return changed(rewritten(entries), input=entries)


def test_finals_that_came_out_whole_have_no_violation(recognised: Outputs) -> None:
    assert kinds(recognised, is_rewritten=True) <= {"rejected"}


def test_every_word_of_a_final_that_is_missing_or_comes_again_is_seen(
    recognised: Outputs,
) -> None:
    i, line = recognised.transcript[0]
    words = line["text"].split()
    without = [(i, {**line, "text": " ".join(words[:-1])}), *recognised.transcript[1:]]
    assert "lost" in kinds(changed(recognised, transcript=without), is_rewritten=True)
    again = [*recognised.transcript, (i, {**line, "text": words[-1]})]
    assert "twice" in kinds(changed(recognised, transcript=again), is_rewritten=True)


def test_what_is_said_again_of_an_input_that_was_made_anew_may_be_told_again(
    recognised: Outputs,
) -> None:
    again = [*recognised.transcript, *recognised.transcript]
    one_life = changed(recognised, transcript=again)
    assert "twice" in kinds(one_life, is_rewritten=True)
    assert "twice" not in kinds(changed(one_life, past=[recognised.input]), is_rewritten=True)


def test_words_of_a_final_that_change_places_are_seen(recognised: Outputs) -> None:
    i, line = recognised.transcript[0]
    turned = (i, {**line, "text": " ".join(reversed(line["text"].split()))})
    lines = [turned, *recognised.transcript[1:]]
    assert "order" in kinds(changed(recognised, transcript=lines), is_rewritten=True)


def test_a_word_that_nobody_said_is_seen(recognised: Outputs) -> None:
    stray = ("9-99", {"entry": "3-0", "text": "dragons"})
    lines = [*recognised.transcript, stray]
    assert "nowhere" in kinds(changed(recognised, transcript=lines), is_rewritten=True)
