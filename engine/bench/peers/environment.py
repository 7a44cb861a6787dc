"""A virtual environment for each peer, made once under a cache folder by pip."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, cast

# Written last: an environment without it was interrupted, and is made again.
DONE = "installed.txt"

Install = Callable[[Sequence[str], Mapping[str, str]], None]


class PeerUnavailable(Exception):
    """A peer cannot take part; the message is the reason in one line."""


class PeerLost(PeerUnavailable):
    """The peer called `name` failed while it took part."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True)
class Recipe:
    """What pip installs for a peer, and the variables that its builds read."""

    name: str
    requirements: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Changes when anything changes that the environment is made of."""
        settings = (f"{name}={value}" for name, value in sorted(self.variables.items()))
        return "\n".join([sys.version, *self.requirements, *settings])


def _our_torch() -> str:
    """The very build that runs here, so that pip has no reason to bring one for CUDA."""
    return f"torch=={version('torch')}"


def recipes() -> tuple[Recipe, ...]:
    """Of all peers that live outside this process."""
    sinks = Recipe(
        "attention-sinks",
        # It wants transformers 4.34.0, which NumPy 2 breaks; it does not say that it needs einops.
        ("attention-sinks==0.4.0", _our_torch(), "numpy<2", "einops"),
    )
    llama_cpp = Recipe(
        "llama-cpp",
        ("llama-cpp-python==0.3.36", "gguf==0.19.0", "safetensors"),
        {"CMAKE_ARGS": "-DGGML_NATIVE=ON -DGGML_LLAMAFILE=ON -DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF"},
    )
    return sinks, llama_cpp


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "weir" / "peers"


def run_pip(command: Sequence[str], variables: Mapping[str, str]) -> None:
    """PeerUnavailable with pip's own last words. Its progress goes to standard error."""
    log: list[str] = []
    with subprocess.Popen(  # noqa: S603
        command,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in cast("IO[str]", process.stdout):
            log.append(line.strip())
            print(f"  {line.strip()[:100]}", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise PeerUnavailable(_reason(log))


def _reason(log: Sequence[str]) -> str:
    """What pip calls an error says more than its last line, which is often advice."""
    errors = [line for line in log if line.lower().startswith("error")]
    return (errors or [line for line in log if line] or ["pip said nothing"])[-1][:300]


def python_of(recipe: Recipe, cache: Path, install: Install = run_pip) -> Path:
    """The Python of the peer's environment, which is made if it is not there. PeerUnavailable."""
    home = cache / recipe.name
    python = home / "bin" / "python"
    done = home / DONE
    if done.exists() and done.read_text() == recipe.text:
        return python
    print(f"Installing {recipe.name} into {home} (once) ...", file=sys.stderr, flush=True)
    try:
        venv.create(home, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeerUnavailable(f"no virtual environment in {home}: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(recipe.requirements) + "\n")
        pip = [str(python), "-m", "pip", "install", "--progress-bar", "off", "-r"]
        install([*pip, str(requirements)], recipe.variables)
    done.write_text(recipe.text)
    return python
