"""Where text comes from: a file that can be looked at whole, or a stream that goes on."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STANDARD_INPUT = "-"


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """A path, or - for standard input. Raises OSError."""
    if name == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


def is_whole(file: BinaryIO) -> bool:
    """Whether it is a file on a disk, which ends, and no pipe or terminal, which may go on."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # io.UnsupportedOperation: not of the system's at all
        return False
