"""The library of step.cc for this very processor: compiled once, in seconds, kept in a cache."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("step.cc")
OPTIONS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-pthread")
PROCESSOR = Path("/proc/cpuinfo")
LONGEST_SECONDS = 120


@cache
def library() -> ctypes.CDLL | None:
    """None where there is no compiler, or it cannot do this; CXX names another than c++."""
    compiler = shutil.which(os.environ.get("CXX") or "c++")
    if compiler is None:
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler)))
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        logger.warning("Single tokens are slower: step.cc does not compile: %s", said[-500:])
        return None


def _compiled(compiler: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "weir" / "compiled"
    file = folder / f"step-{_digest(compiler)}.so"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=".so") as draft:
            subprocess.run(  # noqa: S603
                [compiler, *OPTIONS, str(SOURCE), "-o", draft.name],
                check=True,
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
            )
            shutil.copy(draft.name, f"{draft.name}.whole")
            Path(f"{draft.name}.whole").replace(file)
    return file


def _digest(compiler: str) -> str:
    """Of all that the library depends on."""
    sources = [SOURCE, *sorted(SOURCE.parent.glob("*.h"))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources))
    digest.update(f"{compiler} {OPTIONS} {platform.machine()} {_instructions()}".encode())
    return digest.hexdigest()[:16]


def _instructions() -> str:
    """What the processor can do, as far as the system says it in a file."""
    lines = PROCESSOR.read_text().splitlines() if PROCESSOR.exists() else []
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
