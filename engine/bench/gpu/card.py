"""Which card it is, what it says about itself, and how much of its memory is free."""

from __future__ import annotations

import gc
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
import torch

from engine.errors import ConfigError

ASKED = ("driver_version", "power.limit", "clocks.max.sm", "clocks.sm", "clocks.mem")
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Card:
    """`states`: what nvidia-smi answers, by its own names; nothing where there is none."""

    name: str
    device: str
    memory_bytes: int
    capability: str | None
    cuda: str | None
    states: Mapping[str, str]


def open_device(name: str) -> torch.device:
    """Everything from now on goes to this device. ConfigError if it is not there."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f'--device={name} is not valid: use "cuda", "cuda:N" or "cpu".') from None
    if device.type == "cpu":
        return device
    num_cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type != "cuda" or (device.index or 0) >= num_cards:
        raise ConfigError(
            f"--gpu with --device={name} is not possible here: PyTorch {torch.__version__} sees "
            f"{num_cards} CUDA devices. Run it where `nvidia-smi` shows a card, with a PyTorch "
            "built for CUDA; `--device cpu` is a rehearsal without one."
        )
    torch.cuda.set_device(device)
    return torch.device("cuda", device.index or 0)


def card_of(device: torch.device) -> Card:
    if device.type != "cuda":
        memory = psutil.virtual_memory().total
        return Card("no card: a rehearsal on the processor", str(device), memory, None, None, {})
    facts = torch.cuda.get_device_properties(device)
    return Card(
        name=facts.name,
        device=str(device),
        memory_bytes=facts.total_memory,
        capability=f"{facts.major}.{facts.minor}",
        cuda=torch.version.cuda,
        states=_states(f"GPU-{facts.uuid}"),
    )


def free_memory() -> None:
    """Models hold on to themselves in cycles, and PyTorch to memory that it may need again."""
    gc.collect()
    torch.cuda.empty_cache()


def free_bytes(device: torch.device) -> int:
    """Memory that nobody has taken: ask after `free_memory`."""
    if device.type != "cuda":
        return int(psutil.virtual_memory().available)
    return int(torch.cuda.mem_get_info(device)[0])


def _states(card: str) -> dict[str, str]:
    """Without nvidia-smi, or if it says no, nothing is known."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    command = [program, f"--id={card}", f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(ASKED, (value.strip() for value in answer.stdout.split(",")), strict=False))
