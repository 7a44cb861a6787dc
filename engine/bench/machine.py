"""Where the figures come from: processor, threads, versions, load, memory of this process."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
import transformers


@dataclass(frozen=True)
class Machine:
    cpu: str
    num_threads: int
    python: str
    torch: str
    transformers: str
    load_average_before: tuple[float, float, float]


def this_machine(num_threads: int) -> Machine:
    return Machine(
        cpu=_cpu_name(),
        num_threads=num_threads,
        python=platform.python_version(),
        torch=str(torch.__version__),
        transformers=transformers.__version__,
        load_average_before=os.getloadavg(),
    )


def resident_bytes() -> int:
    """Memory of this process that is in RAM now."""
    return int(psutil.Process().memory_info().rss)


def _cpu_name() -> str:
    """Linux has the name in a file; elsewhere the platform's own word must do."""
    file = Path("/proc/cpuinfo")
    text = file.read_text() if file.exists() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()
