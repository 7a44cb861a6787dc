"""The demo without a live screen: a line for everything that happens, for logs, pipes and CI."""

from __future__ import annotations

from collections.abc import Callable

from worker.demo.output_fields import Line, Memory, Summary
from worker.demo.panels import clock, coverage, mib
from worker.demo.screen import progress_text
from worker.demo.state import DemoState, progress
from worker.formats.writing.notes import change_line

FIGURES_SECONDS = 5.0
"""Memory and progress are printed this often at most."""


class PlainLog:
    """Prints what is new in the state since the last `update`."""

    def __init__(self, print_line: Callable[[str], None]):
        self._print_line = print_line
        self._num_lines: dict[str, int] = {}
        self._num_changes: dict[str, int] = {}
        self._num_summaries: dict[str, int] = {}
        self._figures_at = float("-inf")

    def update(self, state: DemoState, now: float) -> None:
        """`now` is monotonic seconds."""
        for name, stream in state.streams.items():
            label = f"{name} " if len(state.streams) > 1 else ""
            for line in stream.lines[self._num_lines.get(name, 0) :]:
                if line.text:
                    self._print_line(f"{label}{plain_line(line)}")
            for summary in stream.summaries[self._num_summaries.get(name, 0) :]:
                self._print_line(f"{label}{plain_summary(summary, coverage(summary, stream))}")
            for note in stream.note_changes[self._num_changes.get(name, 0) :]:
                self._print_line(f"{label}note {change_line(note)}")
            self._num_lines[name] = len(stream.lines)
            self._num_changes[name] = len(stream.note_changes)
            self._num_summaries[name] = len(stream.summaries)
        self._print_figures(state, now)

    def _print_figures(self, state: DemoState, now: float) -> None:
        readings = state.shown.memory
        if readings and now - self._figures_at >= FIGURES_SECONDS:
            self._figures_at = now
            self._print_line(plain_memory(readings[-1]))
            self._print_line(f"progress  {progress_text(progress(state, now))}")


def plain_line(line: Line) -> str:
    """`12:31 Ruben~ Moves or sticks.`; the tilde says that the model restored the text."""
    start = "" if line.start is None else clock(line.start)
    mark = "~" if line.is_restored else ":"
    speaker = f"{line.speaker}{mark}" if line.speaker or line.is_restored else ""
    return " ".join(part for part in (start, speaker, line.text) if part)


def plain_summary(summary: Summary, covers: str) -> str:
    name = "final summary" if summary.is_final else "summary"
    return (
        f"{name} of {covers} ({summary.num_tokens:,} tokens, {summary.seconds:.1f} s): "
        f"{' '.join(summary.text.split())}"
    )


def plain_memory(now: Memory) -> str:
    return (
        f"memory    KV {mib(now.kv_bytes)} (all rows {mib(now.kv_bytes_total)}), "
        f"RSS {mib(now.rss_bytes)}, {now.tokens_seen:,} tokens seen, "
        f"{now.tokens_slid_out:,} slid out"
    )
