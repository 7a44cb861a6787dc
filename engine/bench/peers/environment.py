"""A virtual environment for each peer, made once under a cache folder by pip."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, cast

# Written last: an environment without it was interrupted, and is made again.
DONE = "installed.txt"

# Of what pip says, what shows that it goes on; all of it is too much.
TOLD = ("Collecting", "Processing", "Building", "  Building", "Installing", "Successfully")


class PeerUnavailable(Exception):
    """A peer cannot take part; the message is the reason in one line."""


class PeerLost(PeerUnavailable):
    """The peer called `name` failed while it took part."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True)
class Recipe:
    """What pip installs for a peer, in about `minutes`, and the variables that its builds read."""

    name: str
    minutes: int
    requirements: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Changes when anything changes that the environment is made of."""
        settings = (f"{name}={value}" for name, value in sorted(self.variables.items()))
        return "\n".join([sys.version, *self.requirements, *settings])


# Makes the environment of a recipe in a folder.
Install = Callable[[Recipe, Path], None]


def _our_torch() -> str:
    """The very build that runs here, so that pip has no reason to bring one for CUDA."""
    return f"torch=={version('torch')}"


def recipes() -> tuple[Recipe, ...]:
    """Of all peers that live outside this process."""
    sinks = Recipe(
        "attention-sinks",
        minutes=2,
        # It wants transformers 4.34.0, which NumPy 2 breaks; it does not say that it needs einops.
        requirements=("attention-sinks==0.4.0", _our_torch(), "numpy<2", "einops"),
    )
    llama_cpp = Recipe(
        "llama-cpp",
        minutes=15,
        requirements=("llama-cpp-python==0.3.36", "gguf==0.19.0", "safetensors"),
        variables={
            "CMAKE_ARGS": "-DGGML_NATIVE=ON -DGGML_LLAMAFILE=ON -DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF"
        },
    )
    return sinks, llama_cpp


def default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "weir" / "peers"


def install_by_pip(recipe: Recipe, home: Path) -> None:
    """PeerUnavailable, in pip's own words, if anything cannot be had or built."""
    try:
        venv.create(home, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeerUnavailable(f"no virtual environment in {home}: {error}") from error
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--progress-bar", "off", *recipe.requirements]
    run_telling(pip, recipe.variables)


def python_of(recipe: Recipe, cache: Path, install: Install = install_by_pip) -> Path:
    """The Python of the peer's environment, which `install` makes if it is not there, or was made
    by another recipe. PeerUnavailable."""
    home = cache / recipe.name
    done = home / DONE
    if not done.exists() or done.read_text() != recipe.text:
        told = f"Installing {recipe.name} into {home} (once, about {recipe.minutes} minutes) ..."
        print(told, file=sys.stderr, flush=True)
        install(recipe, home)
        done.write_text(recipe.text)
    return home / "bin" / "python"


def run_telling(command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run `command`; what shows that it goes on is told. PeerUnavailable if it fails."""
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
            if line.startswith(TOLD):
                print(f"  {line.strip()[:100]}", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise PeerUnavailable(_reason(log))


def _reason(log: Sequence[str]) -> str:
    """What pip calls an error says more than its last line, which is often advice."""
    errors = [line for line in log if line.lower().startswith("error")]
    return (errors or [line for line in log if line] or ["it said nothing"])[-1][:300]
