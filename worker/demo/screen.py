"""The live screen as a whole: which panel stands where, from wide to narrow. Pure."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from worker.demo.panels import memory_panel, notes_panel, summary_panel, transcript_panel
from worker.demo.state import DemoState, Progress

NARROW = 72
"""Columns under which everything stands above each other."""

MEMORY_ROWS = 6
LOW = 20
"""Rows under which the memory panel makes room for the text."""


def draw(
    state: DemoState,
    progress: Progress,
    *,
    width: int,
    height: int,
    headline: str,
    hints: list[str],
) -> RenderableType:
    """The screen for a terminal of `width` columns and `height` rows."""
    parts = [Layout(_headline(headline, state), size=1), _body(state, width)]
    if height >= LOW:
        streams = list(state.streams.values())
        parts.append(Layout(memory_panel(streams, width), size=MEMORY_ROWS))
    parts.append(Layout(_progress(progress, width), size=1))
    parts.append(Layout(_hints(hints), size=len(hints)))
    screen = Layout()
    screen.split_column(*parts)
    return screen


def _headline(headline: str, state: DemoState) -> Text:
    text = Text.assemble((" weir ", "bold reverse"), (f" {headline}", "bold"))
    if len(state.streams) > 1:
        text.append(f"  (the first of {len(state.streams)} streams)", style="dim")
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _body(state: DemoState, width: int) -> Layout:
    transcript = Layout(transcript_panel(state.shown), ratio=3)
    views = Layout(ratio=2 if width >= NARROW else 4)
    views.split_column(summary_panel(state.shown), notes_panel(state.shown))
    body = Layout(ratio=1)
    if width < NARROW:
        body.split_column(transcript, views)
    else:
        body.split_row(transcript, views)
    return body


def _progress(progress: Progress, width: int) -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_column()
    row.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(
        total=max(progress.num_entries, 1),
        completed=progress.num_answered,
        width=max(width - 66, 10),
    )
    row.add_row(bar, progress_text(progress))
    return row


def progress_text(progress: Progress) -> str:
    """One line of figures; the same in the live screen and in plain output."""
    return (
        f"{progress.num_answered}/{progress.num_entries} entries  "
        f"{progress.times_real_time:.1f}x real time  "
        f"{progress.tokens_per_second:,.0f} tokens/s  "
        f"lag {progress.num_waiting}, {progress.lag_seconds:.1f} s"
    )


def _hints(hints: list[str]) -> RenderableType:
    return Group(*(Text(hint, style="dim", no_wrap=True, overflow="ellipsis") for hint in hints))
