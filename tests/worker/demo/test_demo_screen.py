"""The screen is drawn from the state alone, and fits the terminal that it is drawn for."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from worker.demo.output_fields import Line, Memory, Summary
from worker.demo.panels import BARS, sparkline
from worker.demo.plain import PlainLog
from worker.demo.screen import draw
from worker.demo.state import DemoState, Published, progress

HINTS = ["redis-cli -p 16379 PING", "Ctrl-C ends it"]


def busy_state() -> DemoState:
    state = DemoState.of(["live:demo"], num_entries=80)
    state.started_at = 1.0
    stream = state.shown
    for n in range(1, 61):
        stream.add_published(Published(f"17000000{n:05d}-0", at=float(n), end=10.0 * n))
        restored = "1" if n % 4 == 0 else ""
        stream.lines.append(
            Line.of(
                {
                    "entry": f"17000000{n:05d}-0",
                    "text": f"This is sentence {n} [of] many, and it runs over more than one row.",
                    "speaker": "Ruben" if restored else "Marit",
                    "start": f"{n * 10}",
                    "restored": restored,
                }
            )
        )
        stream.memory.append(Memory(n, 3 << 20, 48 << 20, 400 << 20, n * 30, n * 10, 1020, 1024))
    ids = [entry.id for entry in stream.published]
    stream.summaries += [
        Summary("The gate sticks.", ids[0], ids[29], 512, False, 1.0),
        Summary("The gate is free.", ids[30], ids[59], 512, True, 1.0),
    ]
    return state


def drawn(state: DemoState, width: int, height: int) -> str:
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    screen = draw(
        state, progress(state, 70.0), width=width, height=height, headline="live:demo", hints=HINTS
    )
    console.print(screen, height=height)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (60, 18), (200, 60)])
def test_screen_fills_its_terminal_and_no_more(width: int, height: int) -> None:
    rows = drawn(busy_state(), width, height).splitlines()
    assert len(rows) == height
    assert all(len(row) <= width for row in rows)


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24)])
def test_newest_line_newest_summary_and_figures_are_on_the_screen(width: int, height: int) -> None:
    text = drawn(busy_state(), width, height)
    assert "sentence 60 [of] many" in text
    assert "Ruben~" in text
    assert "The gate is free." in text
    assert "#31-#60" in text
    assert "1,800" in text  # tokens seen
    assert "400.0 MiB" in text  # process RSS
    assert "60/80 entries" in text
    assert all(hint in text for hint in HINTS)


def test_screen_is_drawn_before_anything_has_come() -> None:
    empty = DemoState.of(["live:demo"], num_entries=3)
    assert len(drawn(empty, 80, 24).splitlines()) == 24


@given(st.lists(st.floats(0, 1e12), max_size=300), st.integers(1, 80))
def test_sparkline_keeps_its_width(values: list[float], width: int) -> None:
    bars = sparkline(values, width)
    assert len(bars) == min(len(values), width)
    assert set(bars) <= set(BARS)


def test_a_level_course_is_a_level_line() -> None:
    assert len(set(sparkline([4.0e8 + n for n in range(100)], 40))) == 1


def test_a_growing_course_rises() -> None:
    bars = sparkline(list(range(100)), 40)
    assert list(bars) == sorted(bars)
    assert len(set(bars)) > 4


def test_plain_log_prints_everything_once() -> None:
    state, printed = busy_state(), []
    log = PlainLog(printed.append)
    log.update(state, now=1.0)
    num_printed = len(printed)
    log.update(state, now=2.0)
    assert len(printed) == num_printed
    assert sum("sentence" in text for text in printed) == 60
    assert sum(text.startswith("summary of #1-#30, ") for text in printed) == 1
    assert sum(text.startswith("final summary of #31-#60, ") for text in printed) == 1
    assert sum(text.startswith("memory") for text in printed) == 1
