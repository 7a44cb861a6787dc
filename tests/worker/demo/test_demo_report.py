"""The demo's own account must see what is missing, and must not see what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.demo.output_fields import Line, Memory, Summary
from worker.demo.report import account, is_complete, report_lines, uncovered
from worker.demo.state import DemoState, Published, progress


def line(entry: str, text: str = "Yes.") -> Line:
    return Line.of({"entry": entry, "text": text})


def summary(first: str, last: str) -> Summary:
    return Summary.of({"text": "They agree.", "first": first, "last": last, "tokens": "9"})


def memory(at: float, tokens_seen: int, rss_bytes: int = 400 << 20) -> Memory:
    fields = {"at": at, "tokens_seen": tokens_seen, "rss_bytes": rss_bytes, "kv_bytes": 1 << 20}
    return Memory.of({name: str(value) for name, value in fields.items()})


def talk_of(num_entries: int, stream: str = "live:demo") -> DemoState:
    """A state whose entries `1-0`, `2-0`, ... were published one a second, and nothing came out."""
    state = DemoState.of([stream], num_entries)
    state.started_at = 1.0
    for n in range(1, num_entries + 1):
        state.shown.add_published(Published(f"{n}-0", at=float(n), end=10.0 * n))
    return state


def answered(num_entries: int) -> DemoState:
    state = talk_of(num_entries)
    state.shown.lines += [line(f"{n}-0") for n in range(1, num_entries + 1)]
    state.shown.summaries += [summary("1-0", f"{num_entries}-0")]
    return state


def test_a_whole_run_is_complete() -> None:
    assert is_complete(answered(5))


def test_a_lost_entry_is_named() -> None:
    state = answered(5)
    del state.shown.lines[2]
    assert account(state.shown).missing == ["3-0"]
    assert not is_complete(state)
    assert any("MISSING 1 (3-0)" in text for text in report_lines(state))


def test_an_entry_that_came_out_twice_is_named() -> None:
    state = answered(5)
    state.shown.lines.append(line("2-0"))
    assert account(state.shown).repeated == ["2-0"]
    assert not is_complete(state)


def test_a_talk_that_did_not_go_in_whole_is_not_complete() -> None:
    state = answered(5)
    state.num_entries = 6
    assert not is_complete(state)


def test_a_rejected_entry_is_accounted_for() -> None:
    state = answered(5)
    state.shown.rejected.append(state.shown.lines.pop().entry)
    assert account(state.shown).missing == []


def test_the_empty_line_that_ends_a_stream_needs_no_summary() -> None:
    state = talk_of(3)
    state.shown.lines += [line("1-0"), line("2-0"), line("3-0", text="")]
    state.shown.summaries += [summary("1-0", "2-0")]
    assert is_complete(state)


@given(st.integers(1, 30), st.data())
def test_ranges_that_follow_each_other_cover_everything(
    num_entries: int, data: st.DataObject
) -> None:
    ids = [f"{n}-0" for n in range(1, num_entries + 1)]
    summaries, start = [], 0
    while start < num_entries:
        last = data.draw(st.integers(start, num_entries - 1))
        summaries.append(summary(ids[start], ids[last]))
        shares_its_last_entry = data.draw(st.booleans()) and last > start
        start = last if shares_its_last_entry and last < num_entries - 1 else last + 1
    assert uncovered(ids, summaries) == []


@given(st.integers(3, 30), st.data())
def test_a_hole_between_two_ranges_is_named(num_entries: int, data: st.DataObject) -> None:
    ids = [f"{n}-0" for n in range(1, num_entries + 1)]
    hole = data.draw(st.integers(1, num_entries - 2))
    ranges = [summary(ids[0], ids[hole - 1]), summary(ids[hole + 1], ids[-1])]
    assert uncovered(ids, ranges) == [ids[hole]]


def test_several_streams_are_added_up_and_a_lost_entry_is_named_with_its_stream() -> None:
    state = DemoState.of(["live:demo", "live:demo-2"], num_entries=2)
    for stream in state.streams.values():
        for n in (1, 2):
            stream.add_published(Published(f"{n}-0", at=1.0, end=1.0))
            stream.lines.append(line(f"{n}-0"))
        stream.summaries.append(summary("1-0", "2-0"))
    assert is_complete(state)
    assert any("4 entries in, 4 out" in text for text in report_lines(state))
    state.streams["live:demo-2"].lines.pop()
    assert not is_complete(state)
    assert any("MISSING 1 (live:demo-2 2-0)" in text for text in report_lines(state))


def test_speed_is_that_of_the_talk_and_not_of_what_came_after() -> None:
    state = answered(2)
    state.started_at, state.ended_at = 100.0, 104.0
    assert progress(state, now=9999.0).times_real_time == pytest.approx(20.0 / 4.0)
    assert any("in 4.0 s: 5.0 x real time" in text for text in report_lines(state))


def test_progress_counts_what_waits_and_how_long() -> None:
    state = talk_of(10)
    state.shown.lines += [line("1-0"), line("2-0")]
    now = progress(state, now=11.0)
    assert (now.num_published, now.num_answered, now.num_waiting) == (10, 2, 8)
    assert now.lag_seconds == pytest.approx(11.0 - 3.0)
    assert now.times_real_time == pytest.approx(20.0 / 10.0)


def test_tokens_per_second_looks_at_the_last_seconds_only() -> None:
    state = talk_of(1)
    state.shown.memory += [memory(0, 0), memory(100, 50), memory(104, 450)]
    assert progress(state, now=2.0).tokens_per_second == pytest.approx(100.0)


def test_report_compares_rss_after_a_third_with_the_end() -> None:
    state = answered(2)
    megabyte = 1 << 20
    state.shown.memory += [
        memory(0, 10, 100 * megabyte),
        memory(1, 300, 200 * megabyte),
        memory(2, 900, 210 * megabyte),
    ]
    assert any("200.0 MiB after a third, 210.0 MiB at the end" in t for t in report_lines(state))


def test_a_run_without_any_output_has_a_report() -> None:
    state = talk_of(2)
    assert not is_complete(state)
    assert report_lines(state)


def test_a_talk_of_a_few_seconds_has_no_speed() -> None:
    state = answered(5)
    assert any(text.startswith("speed ") for text in report_lines(state))
    state.shown.published[-1] = Published("5-0", at=5.0, end=9.0)
    assert not any(text.startswith("speed ") for text in report_lines(state))
