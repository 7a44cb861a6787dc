"""What torch holds on CUDA devices, as Prometheus asks for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class CudaMemory(Collector):
    """Bytes that torch holds on each CUDA device, asked at each scrape; no series without CUDA."""

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "weir_cuda_memory_allocated_bytes", "Tensors on a CUDA device.", labels=["device"]
        )
        # Not imported here: a process that has no torch yet has no CUDA memory either.
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            for index in range(torch.cuda.device_count()):
                family.add_metric([f"cuda:{index}"], torch.cuda.memory_allocated(index))
        yield family
