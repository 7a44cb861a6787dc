"""A scrape is answered with what is known, whatever else a process is doing at that moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tests.worker.watch.test_health import get
from worker.watch.cuda_memory import CudaMemory
from worker.watch.health import HealthServer
from worker.watch.steady_registry import SteadyRegistry


class Unready(Collector):
    """Raises until it is ready."""

    is_ready = False

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("weir_late", "Late.")
        if not self.is_ready:
            raise AttributeError("partially initialized module")
        family.add_metric([], 7)
        yield family


@pytest.mark.parametrize(("kind", "status"), [(SteadyRegistry, 200), (CollectorRegistry, 500)])
def test_one_figure_that_cannot_be_asked_for_costs_the_others_nothing(
    kind: type[CollectorRegistry], status: int
) -> None:
    registry, late = kind(), Unready()
    late.is_ready = True
    registry.register(late)
    Counter("weir_lines", "Lines.", registry=registry).inc(3)
    late.is_ready = False
    server = HealthServer("127.0.0.1", 0, registry, {})
    server.start()
    try:
        found, text = get(server, "/metrics")
        assert found == status
        if status == 200:
            assert "weir_lines_total 3.0" in text and "weir_late" not in text
        late.is_ready = True
        assert "weir_late 7.0" in get(server, "/metrics")[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    "half", [{}, {"cuda": None}, {"cuda": SimpleNamespace()}], ids=["empty", "no cuda", "bare cuda"]
)
def test_a_torch_that_another_thread_is_importing_has_no_memory_yet(
    half: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = ModuleType("torch")
    torch.__dict__.update(half)
    monkeypatch.setitem(sys.modules, "torch", torch)
    [family] = CudaMemory().collect()
    assert family.samples == []
