"""What `/metrics` says about what happened, as a scraper reads it."""

from __future__ import annotations

import re
from importlib.metadata import version

import psutil
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from engine import MemoryReport, StepReport
from worker.watch.metrics import OWNED_STATES, VIEWS, Metrics

BASE_UNITS = ("bytes", "seconds", "total", "info", "ratio", "loaded")
COUNTED_NOUNS = ("rows", "streams", "entries", "sessions", "tokens")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry(), rejections=("no_text", "too_big"))


def scraped(metrics: Metrics) -> dict[str, float]:
    """Every series of a real scrape: `name{label="value"}` -> number."""
    text = generate_latest(metrics.registry).decode()
    return {
        sample.name
        + "".join(f"{{{k}={v}}}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_kv_bytes_of_all_states_add_up_to_the_allocation(metrics: Metrics) -> None:
    for in_use in (0, 3, 48):
        report = MemoryReport(1000, 48_000, rows_in_use=in_use, rows_free=48 - in_use)
        metrics.memory(report)
        series = scraped(metrics)
        assert series["weir_kv_cache_bytes{state=in_use}"] == 1000 * in_use
        assert series["weir_kv_cache_rows{state=in_use}"] == in_use
        total = sum(v for name, v in series.items() if name.startswith("weir_kv_cache_bytes"))
        assert total == report.kv_bytes_total


def test_a_step_moves_its_counters_and_histograms(metrics: Metrics) -> None:
    metrics.step(StepReport(num_tokens=300, num_sessions=5, num_generated=4, seconds=0.02))
    metrics.slid_out(100)
    metrics.step(StepReport(num_tokens=100, num_sessions=1, seconds=0.5, num_slid_out=7))
    series = scraped(metrics)
    assert series["weir_step_duration_seconds_count"] == 2
    assert series["weir_step_duration_seconds_sum"] == pytest.approx(0.52)
    assert series["weir_step_duration_seconds_bucket{le=0.025}"] == 1
    assert series["weir_step_tokens_sum"] == 400
    assert series["weir_step_sessions_sum"] == 6
    assert series["weir_tokens_generated_total"] == 4
    assert series["weir_tokens_slid_out_total"] == 100


def test_an_empty_step_is_not_counted(metrics: Metrics) -> None:
    metrics.step(StepReport())
    assert scraped(metrics)["weir_step_duration_seconds_count"] == 0


def test_streams_of_a_state_that_is_not_named_are_none(metrics: Metrics) -> None:
    metrics.streams({"live": 7, "idle": 2})
    metrics.streams({"live": 1})
    series = scraped(metrics)
    assert series["weir_streams{state=live}"] == 1
    assert series["weir_streams{state=idle}"] == 0


def test_every_verb_moves_what_it_names(metrics: Metrics) -> None:
    metrics.read(5)
    metrics.fed(70)
    metrics.rejected("too_big")
    metrics.adopted(0.2)
    metrics.closed()
    metrics.committed(0.0002, num_entries=4)
    metrics.commit_refused()
    metrics.lease_lost("taken")
    metrics.snapshot(0.1, num_bytes=5000)
    metrics.view("summary", 1.5)
    metrics.view("prompt", 0.5)
    metrics.engine_loaded()
    metrics.engine_failed()
    metrics.redis_failed()
    series = scraped(metrics)
    moved = {
        "weir_entries_read_total": 5,
        "weir_tokens_in_total": 70,
        "weir_entries_rejected_total{reason=too_big}": 1,
        "weir_entries_rejected_total{reason=no_text}": 0,
        "weir_recovery_duration_seconds_count": 1,
        "weir_streams_closed_total": 1,
        "weir_entries_committed_total": 4,
        "weir_commit_duration_seconds_count": 1,
        "weir_commits_refused_total": 1,
        "weir_leases_lost_total{reason=taken}": 1,
        "weir_snapshot_duration_seconds_count": 1,
        "weir_snapshot_bytes_total": 5000,
        "weir_summaries_total": 1,
        "weir_view_duration_seconds_count{view=summary}": 1,
        "weir_view_duration_seconds_sum{view=prompt}": 0.5,
        "weir_engine_loaded": 1,
        "weir_engine_failures_total": 1,
        "weir_redis_connection_errors_total": 1,
    }
    assert {name: series[name] for name in moved} == moved


def test_what_has_not_happened_yet_is_exported_as_zero(metrics: Metrics) -> None:
    series = scraped(metrics)
    for state in OWNED_STATES:
        assert series[f"weir_streams{{state={state}}}"] == 0
    for view in VIEWS:
        assert series[f"weir_view_duration_seconds_count{{view={view}}}"] == 0
    assert series["weir_commits_refused_total"] == 0
    assert series["weir_engine_loaded"] == 0


def test_resident_memory_is_that_of_this_process(metrics: Metrics) -> None:
    seen = scraped(metrics)["weir_resident_memory_bytes"]
    assert seen == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


def test_heartbeat_age_is_asked_at_each_scrape(metrics: Metrics) -> None:
    ages = iter([1.0, 2.0])
    metrics.watch_heartbeat(lambda: next(ages))
    assert scraped(metrics)["weir_engine_heartbeat_age_seconds"] == 1.0
    assert scraped(metrics)["weir_engine_heartbeat_age_seconds"] == 2.0


def test_the_engine_says_what_it_runs(metrics: Metrics) -> None:
    metrics.describe(model="bundled", device="cpu", dtype="float32")
    name = "weir_engine_info{device=cpu}{dtype=float32}{model=bundled}"
    assert scraped(metrics)[f"{name}{{version={version('weir')}}}"] == 1


def test_names_have_the_prefix_and_end_in_a_base_unit_or_what_is_counted(metrics: Metrics) -> None:
    for family in metrics.registry.collect():
        if family.name.startswith(("process_", "python_")):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert re.fullmatch(r"weir_[a-z_]+", name)
        assert name.endswith((*BASE_UNITS, *COUNTED_NOUNS)) or family.type == "info", name
        assert family.documentation.endswith(".")


def test_no_label_can_grow_with_the_number_of_streams(metrics: Metrics) -> None:
    allowed = {"state", "place", "move", "reason", "view", "change"}
    allowed |= {"le", "model", "device", "dtype", "version"}
    metrics.rejected("no_text")
    for family in metrics.registry.collect():
        for sample in family.samples:
            assert set(sample.labels) <= allowed, family.name


def test_two_workers_in_one_process_keep_their_own_figures(metrics: Metrics) -> None:
    other = Metrics(CollectorRegistry())
    other.read(9)
    assert scraped(metrics)["weir_entries_read_total"] == 0
