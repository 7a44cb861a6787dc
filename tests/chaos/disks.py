"""A disk that is full at once: a tmpfs of a few pages. Only root may mount one."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

DISK_BYTES = 64 * 1024


@cache
def can_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            return False
        unmount(Path(folder))
        return True


def mount(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    size = f"size={DISK_BYTES}"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
