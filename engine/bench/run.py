"""The whole benchmark: every subject through every measurement, tables, aims, one line of JSON."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import transformers

from engine.bench.aims import AIMED_DTYPE, Aim, aims_of
from engine.bench.decoding import measure_decoding
from engine.bench.feeding import OURS, measure_feeding
from engine.bench.json_line import print_summary
from engine.bench.long_run import choose_age, measure_long_run, num_long_run_tokens
from engine.bench.machine import this_machine
from engine.bench.progress import stage
from engine.bench.report import Report
from engine.bench.result import Result
from engine.bench.run_size import WINDOW_FACTS, RunSize
from engine.bench.same_model import measure_agreement
from engine.bench.snapshot_costs import measure_snapshots
from engine.bench.subject import Subject, open_subject

# Beside the streams that decode together: the session they are forks of, and one to spare.
SPARE_ROWS = 2


def run(
    *,
    models: Sequence[str],
    dtypes: Sequence[str],
    run_size: RunSize,
    num_tokens: int | None,
    num_threads: int,
    json_path: Path | None,
) -> None:
    """Every model in every dtype. ModelRefused if one of them cannot stream."""
    started = time.perf_counter()
    # Bars of its own would come between ours.
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    machine = this_machine(num_threads)
    report = Report()
    report.print_machine(machine)
    results: dict[str, Result] = {}
    aims: dict[str, dict[str, Aim]] = {}
    for model, dtype in product(models, dtypes):
        name = f"{model} {dtype}"
        gc.collect()  # models hold on to themselves in cycles
        result = _measure(model, dtype, run_size, num_tokens, num_threads)
        report.print_result(name, result)
        results[name] = result
        if dtype == AIMED_DTYPE:
            aims[name] = aims_of(result.agreement, result.feeding, result.level)
    report.print_aims(aims)
    facts = {"window": WINDOW_FACTS, "effort": run_size}
    print_summary("weir", machine, started, results, aims, json_path, **facts)


def _measure(
    model: str, dtype: str, run_size: RunSize, num_tokens: int | None, num_threads: int
) -> Result:
    with ExitStack() as stack:
        with stage(f"{model} {dtype}: loading", 1):
            num_rows = max(run_size.num_streams) + SPARE_ROWS
            opened = open_subject(model, dtype, num_rows=num_rows, num_threads=num_threads)
            subject = stack.enter_context(opened)
        return measure(subject, run_size, num_tokens)


def measure(subject: Subject, run_size: RunSize, num_tokens: int | None) -> Result:
    name = subject.name
    with stage(f"{name}: the same logits as stock", 1):
        agreement = measure_agreement(subject)
    with stage(f"{name}: feeding", run_size.rounds) as advance:
        feeding = measure_feeding(subject, run_size, advance)
    age = choose_age(
        run_size,
        num_tokens,
        is_aimed=subject.dtype == AIMED_DTYPE,
        tokens_per_second=feeding.tokens_per_second[OURS],
    )
    with stage(f"{name}: {age.num_fed:,} tokens", num_long_run_tokens(run_size, age)) as advance:
        long_run = measure_long_run(subject, run_size, age, advance)
    with stage(f"{name}: decoding", run_size.rounds) as advance:
        decoding = measure_decoding(subject, run_size, advance)
    with stage(f"{name}: snapshots and forks", 1 + run_size.snapshots) as advance:
        costs = measure_snapshots(subject, run_size.snapshots, advance)
    return Result(subject.num_parameters, agreement, feeding, long_run, decoding, costs)
