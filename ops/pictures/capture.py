"""Takes the README's picture of the demo: a frame of a real run, as the live screen draws it.

    python ops/pictures/capture.py [--at 0.6] [--width 100] [--height 30] [demo options]

runs `weir demo` and writes `demo.svg` beside this file when that part of the talk has come out.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from worker.demo import add_arguments, run
from worker.demo.screen import draw
from worker.demo.state import DemoState, progress
from worker.demo.views import PlainView, View

PICTURE = Path(__file__).parent / "demo.svg"
# The picture must not fetch a font from anywhere: any monospaced one will do.
SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class CapturingView(PlainView):
    """Plain output, and one picture of what the live screen would have shown."""

    def __init__(
        self,
        console: Console,
        headline: str,
        hints: list[str],
        *,
        at: float,
        width: int,
        height: int,
    ):
        super().__init__(console, headline, hints)
        self._headline = headline
        self._hints = hints
        self._at = at
        self._paper = Console(
            record=True, file=io.StringIO(), width=width, height=height, force_terminal=True,
            color_system="truecolor",
        )  # fmt: skip
        self._is_taken = False

    def update(self, state: DemoState, now: float) -> None:
        super().update(state, now)
        done = progress(state, now)
        if not self._is_taken and done.num_answered >= self._at * done.num_entries:
            self._is_taken = True
            self._take(state, now)

    def _take(self, state: DemoState, now: float) -> None:
        width, height = self._paper.size
        screen = draw(
            state,
            progress(state, now),
            width=width,
            height=height,
            headline=self._headline,
            hints=self._hints,
        )
        self._paper.print(screen, height=height)
        svg = self._paper.export_svg(title="weir demo", code_format=SVG_FORMAT)
        PICTURE.write_text(svg, encoding="utf-8")
        self.stage(f"picture taken: {PICTURE}")


def main() -> int:
    parser = argparse.ArgumentParser(description="take the README's picture of the demo")
    parser.add_argument("--at", type=float, default=0.6, help="part of the talk (default: 0.6)")
    parser.add_argument("--width", type=int, default=100, help="columns (default: 100)")
    parser.add_argument("--height", type=int, default=30, help="rows (default: 30)")
    add_arguments(parser)
    arguments = parser.parse_args()

    def capturing(console: Console, headline: str, hints: list[str]) -> View:
        return CapturingView(
            console,
            headline,
            hints,
            at=arguments.at,
            width=arguments.width,
            height=arguments.height,
        )

    return run(arguments, make_view=capturing)


if __name__ == "__main__":
    sys.exit(main())
