"""Steps on a GPU: kernels that read rows in place, and decoding that is recorded and played back.

What the GPU does lies in kernels.py, how it is asked to in attention.py; layout.py is a step as it
reads it, recordings.py how decoding is played, steps.py brings them together.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from engine.gpu.recordings import Record
    from engine.gpu.steps import GpuSteps

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gpu:
    """num_processors  programs that run at the same time
    record          how to record a step; None = steps are not recorded
    """

    num_processors: int
    record: Record | None

    def steps(self, *facts: Any) -> GpuSteps:
        """Those of a model: the rest of what GpuSteps is made of."""
        # Only now: Triton comes with those builds of PyTorch alone that are for GPUs.
        from engine.gpu.steps import GpuSteps  # noqa: PLC0415

        return GpuSteps(self, *facts)


def gpu_of(device: torch.device) -> Gpu | None:
    """None if it is no GPU, or there is no Triton for it."""
    if device.type != "cuda":
        return None
    if find_spec("triton") is None:
        logger.warning("Triton is not installed: attention on the GPU will be slow.")
        return None
    from engine.gpu.recordings import graphs  # noqa: PLC0415

    properties = torch.cuda.get_device_properties(device)
    return Gpu(properties.multi_processor_count, graphs(device))
