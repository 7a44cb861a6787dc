"""What this machine has: memory for a process, cores, and what its processor multiplies."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import torch

from engine.model.refusals import refuse_missing
from engine.weights.int4_linear import int4_block
from engine.weights.int8_linear import multiplies_int8
from engine.weights.packing import packed_dtypes

# Where a container's limit stands, in the second version of control groups and in the first.
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class Machine:
    """All that there is, whatever is free now: the same choices at every start.

    memory_bytes     of the GPU, if it is one
    multiplies_int8  whether the processor has instructions for it
    has_int8         whether weights can be in int8 and int4: the library for them is installed
    packed_dtypes    in which floats the output layer is kept apart, arranged for speed
    int4_block       outputs that int4 weights in bfloat16 are filled up to; 0: they are not
    """

    memory_bytes: int
    num_cores: int
    is_gpu: bool = False
    multiplies_int8: bool = False
    has_int8: bool = False
    packed_dtypes: frozenset[str] = frozenset()
    int4_block: int = 0


def num_usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def this_machine(device: str, *, memory_bytes: int | None = None) -> Machine:
    """`memory_bytes`: as if it had so much; the device need not be there then. ConfigError if it
    must be and is not."""
    if memory_bytes is None:
        refuse_missing(device)
    has_int8 = find_spec("torchao") is not None
    if device != "cpu":
        return Machine(
            memory_bytes or torch.cuda.get_device_properties(device).total_memory,
            num_usable_cores(),
            is_gpu=True,
            has_int8=has_int8,
        )
    return Machine(
        memory_bytes or _memory_bytes(LIMITS),
        num_usable_cores(),
        multiplies_int8=multiplies_int8(device),
        has_int8=has_int8,
        packed_dtypes=packed_dtypes(),
        int4_block=int4_block(),
    )


def _memory_bytes(limits: Iterable[Path]) -> int:
    """The machine's, or what its container may use."""
    found = [int(psutil.virtual_memory().total)]
    for limit in limits:
        with suppress(OSError, ValueError):  # there is none, or it says "max"
            found.append(int(limit.read_text()))
    return min(found)
