"""The pieces of the live screen, each drawn into the room it is given. Pure: state in, rich out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from worker.demo.output_fields import Line, Memory, Summary
from worker.demo.state import StreamState
from worker.formats.noted import Note

SPEAKER_COLOURS = ("cyan", "yellow", "magenta", "green", "bright_blue", "bright_red", "white")
NOTE_COLOURS = {"decision": "green", "action": "yellow", "question": "cyan", "topic": "magenta"}
BARS = "▁▂▃▄▅▆▇█"
MIB = 1024**2
MAX_LINES_DRAWN = 60
"""More than any terminal shows; a stream may be endless."""


class Tail:
    """The last of many paragraphs, cut at the top so that the newest is always to be seen."""

    def __init__(self, newest_first: Iterable[Text]):
        self._newest_first = newest_first

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.height
        rows: list[list[Segment]] = []
        for paragraph in self._newest_first:
            rows = [*_wrapped(paragraph, console, options), *rows]
            if len(rows) >= height:
                break
        yield from _stacked(rows[-height:])


class Head:
    """Paragraphs from the top, cut at the bottom."""

    def __init__(self, paragraphs: Iterable[Text]):
        self._paragraphs = paragraphs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.height
        rows: list[list[Segment]] = []
        for paragraph in self._paragraphs:
            rows += _wrapped(paragraph, console, options)
            if len(rows) >= height:
                break
        yield from _stacked(rows[:height])


def transcript_panel(stream: StreamState) -> Panel:
    """The rolling transcript, the newest line at the bottom."""
    colours = speaker_colours(stream.lines)
    newest = reversed([line for line in stream.lines[-MAX_LINES_DRAWN:] if line.text])
    to_come = [Text(stream.pending, style="bright_black")] if stream.pending else []
    return Panel(
        Tail([*to_come, *(line_text(line, colours) for line in newest)]),
        title="transcript",
        subtitle="[italic]~ case and punctuation restored[/]",
        subtitle_align="right",
        title_align="left",
        border_style="blue",
    )


def summary_panel(stream: StreamState) -> Panel:
    """The summaries, the newest on top."""
    newest = list(reversed(stream.summaries[-MAX_LINES_DRAWN:]))
    waiting = Text("The first summary comes when there is enough to sum up.", style="dim")
    return Panel(
        Head(_summary_texts(newest, stream)) if newest else waiting,
        title=f"summaries ({len(stream.summaries)})",
        title_align="left",
        border_style="green",
    )


def notes_panel(stream: StreamState) -> Panel:
    """The notes as they stand, the one that was changed last on top."""
    newest = list(reversed(stream.notes))[:MAX_LINES_DRAWN]
    num_resolved = sum(note.is_resolved for note in stream.notes)
    resolved = f", {num_resolved} resolved" if num_resolved else ""
    waiting = Text("The first notes come with the first summary.", style="dim")
    return Panel(
        Head(map(note_text, newest)) if newest else waiting,
        title=f"notes ({len(stream.notes)}{resolved})",
        title_align="left",
        border_style="magenta",
    )


def note_text(note: Note) -> Text:
    """`decision 7 Marit: The gate stays open.`"""
    text = Text(f"{note.kind} {note.id} ", style=NOTE_COLOURS.get(note.kind, "white"))
    text.append(f"{note.who}: " if note.who else "", style="bold not dim default")
    text.append(note.text, style="strike dim default" if note.is_resolved else "not dim default")
    return text


def memory_panel(streams: Sequence[StreamState], width: int) -> Panel:
    """Figures that grow above figures that do not, each with its course over the whole run."""
    readings = streams[0].memory
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    for name, value, course, colour in _memory_rows(streams):
        bars = sparkline(course, max(width - 32, 8))
        grid.add_row(name, value, Text(bars, style=colour))
    body: RenderableType = grid if readings else Text("no reading yet", style="dim")
    title = f"memory ({_window(readings[-1])})" if readings else "memory"
    return Panel(body, title=title, title_align="left", border_style="yellow")


def line_text(line: Line, colours: dict[str, str]) -> Text:
    """`12:31 Ruben~ Moves or sticks.`"""
    text = Text("" if line.start is None else f"{clock(line.start)} ", style="dim")
    if line.speaker:
        text.append(line.speaker, style=f"bold not dim {colours.get(line.speaker, 'white')}")
    mark = "~" if line.is_restored else ""
    text.append(f"{mark} " if line.speaker or mark else "", style="dim")
    text.append(line.text, style="not dim italic" if line.is_restored else "not dim")
    return text


def speaker_colours(lines: Iterable[Line]) -> dict[str, str]:
    """Speakers take the colours in the order in which they first speak."""
    speakers = dict.fromkeys(line.speaker for line in lines if line.speaker)
    return {name: SPEAKER_COLOURS[i % len(SPEAKER_COLOURS)] for i, name in enumerate(speakers)}


def coverage(summary: Summary, stream: StreamState) -> str:
    """`#1-#57, 1700000000000-0 .. 1700000042000-0`: which entries a summary covers."""
    first, last = (stream.numbers.get(entry) for entry in (summary.first, summary.last))
    numbers = f"#{first}-#{last}, " if first and last else ""
    return f"{numbers}{summary.first} .. {summary.last}"


def sparkline(values: Sequence[float], width: int) -> str:
    """The course of `values` in at most `width` bars, measured from zero: what is level looks it.

    The largest value reaches the middle of the sixth bar of eight: small changes stay in one bar,
    and there is room above to grow into.
    """
    if not values:
        return ""
    top = max(max(values) / (5.5 / len(BARS)), 1)
    picked = values if len(values) <= width else _evenly(values, width)
    return "".join(BARS[min(int(value / top * len(BARS)), len(BARS) - 1)] for value in picked)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def mib(num_bytes: float) -> str:
    return f"{num_bytes / MIB:,.1f} MiB"


def _memory_rows(streams: Sequence[StreamState]) -> Iterator[tuple[str, str, list[float], str]]:
    readings = streams[0].memory
    if not readings:
        return
    now = readings[-1]
    yield "tokens seen", f"{now.tokens_seen:,}", _course(readings, "tokens_seen"), "cyan"
    yield "slid out", f"{now.tokens_slid_out:,}", _course(readings, "tokens_slid_out"), "cyan"
    yield "KV, this stream", mib(now.kv_bytes), _course(readings, "kv_bytes"), "yellow"
    yield "process RSS", mib(now.rss_bytes), _course(readings, "rss_bytes"), "yellow"


def _window(now: Memory) -> str:
    return (
        f"window {now.window_fill:,} of {now.window_size:,} tokens, "
        f"KV of all rows {mib(now.kv_bytes_total)}"
    )


def _course(readings: Sequence[Memory], name: str) -> list[float]:
    return [float(getattr(reading, name)) for reading in readings]


def _evenly(values: Sequence[float], width: int) -> list[float]:
    """`width` of the values, the first and the last among them."""
    last = len(values) - 1
    return [values[round(i * last / max(width - 1, 1))] for i in range(width)]


def _summary_texts(newest_first: Sequence[Summary], stream: StreamState) -> Iterator[Text]:
    for age, summary in enumerate(newest_first):
        name = "final summary" if summary.is_final else "summary"
        text = Text(f"{name} of {coverage(summary, stream)}\n", style="dim green")
        text.append(summary.text, style="not dim default" if age == 0 else "dim default")
        yield text
        yield Text("")


def _wrapped(text: Text, console: Console, options: ConsoleOptions) -> list[list[Segment]]:
    free = options.update(height=None)
    return console.render_lines(text, free, pad=False)


def _stacked(rows: Iterable[list[Segment]]) -> Iterator[Segment]:
    for row in rows:
        yield from row
        yield Segment.line()
