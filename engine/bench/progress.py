"""What the benchmark is doing now, on standard error: a bar in a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from engine.bench.interleaved import Advance


@contextmanager
def stage(name: str, total: int) -> Iterator[Advance]:
    """One part of the run; the bar goes when it is done, so that tables stand alone."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{name} ...", markup=False)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar as progress:
        task = progress.add_task(name, total=total)
        yield lambda amount: progress.advance(task, amount)
