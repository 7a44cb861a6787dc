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
        # Not imported here: a process that has no torch yet has no CUDA memory either. Another
        # thread may be importing it: then it is there, and parts of it are not.
        cuda = getattr(sys.modules.get("torch"), "cuda", None)
        is_initialized = getattr(cuda, "is_initialized", None)
        if cuda is not None and is_initialized is not None and is_initialized():
            for index in range(cuda.device_count()):
                family.add_metric([f"cuda:{index}"], cuda.memory_allocated(index))
        yield family
