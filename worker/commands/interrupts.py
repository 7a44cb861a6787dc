"""Ctrl-C that first asks and then ends."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupts:
    """Within the block, the first Ctrl-C is noted and the second raises KeyboardInterrupt.

    So nothing is left half done by the first: whoever looks at `came` decides where to stop.
    """

    def __init__(self) -> None:
        self.came = False
        self._num_since_forgotten = 0

    def __enter__(self) -> None:
        self.came = False
        self._before = signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def forget(self) -> None:
        """The next Ctrl-C is a first one, also if the last block has seen one."""
        self._num_since_forgotten = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        self._num_since_forgotten += 1
        if self._num_since_forgotten > 1:
            raise KeyboardInterrupt
