"""The two faces of the demo: a live screen for a terminal, plain lines for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from worker.demo.plain import PlainLog
from worker.demo.screen import draw
from worker.demo.state import DemoState, progress

FRAME_SECONDS = 0.2


class View(Protocol):
    """`stage` says what is being done or waited for, `update` shows the state, `close` ends both;
    what is printed afterwards stays in the terminal."""

    def stage(self, text: str) -> None: ...

    def update(self, state: DemoState, now: float) -> None: ...

    def close(self) -> None: ...


MakeView = Callable[[Console, str, list[str]], View]
"""Takes the console, a headline, and hints: how to look at the keys from outside."""


class PlainView:
    """A line for everything that happens."""

    def __init__(self, console: Console, headline: str, hints: list[str]):
        self._console = console
        self._log = PlainLog(self.stage)
        for text in [headline, *hints]:
            self.stage(text)

    def stage(self, text: str) -> None:
        # Not `console.print`: it would wrap the lines, and read `[...]` in them as markup.
        self._console.file.write(f"{text}\n")
        self._console.file.flush()

    def update(self, state: DemoState, now: float) -> None:
        self._log.update(state, now)

    def close(self) -> None:
        """Nothing to put back."""


class LiveView:
    """A spinner while things start and stop, and the whole terminal in between."""

    def __init__(self, console: Console, headline: str, hints: list[str]):
        self._console = console
        self._headline = headline
        self._hints = hints
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._spinner = Progress(*columns, console=console, transient=True)
        self._task = self._spinner.add_task("", total=None)
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._drawn_at = float("-inf")

    def stage(self, text: str) -> None:
        self._live.stop()
        self._spinner.reset(self._task, description=text)
        self._spinner.start()

    def update(self, state: DemoState, now: float) -> None:
        if now - self._drawn_at < FRAME_SECONDS:
            return
        self._drawn_at = now
        self._spinner.stop()
        self._live.start()
        size = self._console.size
        screen = draw(
            state,
            progress(state, now),
            width=size.width,
            height=size.height,
            headline=self._headline,
            hints=self._hints,
        )
        self._live.update(screen, refresh=True)

    def close(self) -> None:
        self._live.stop()
        self._spinner.stop()
