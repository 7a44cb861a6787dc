"""`weir bench --profile`: every model's step taken apart, tables, one line of JSON."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import transformers
from rich.table import Table

from engine.bench.aims import Aim
from engine.bench.anatomy import OF_THE_ENGINE, Anatomy, measure_anatomy
from engine.bench.json_line import print_summary
from engine.bench.machine import this_machine
from engine.bench.progress import stage
from engine.bench.report import Report
from engine.bench.run_size import CHUNK
from engine.bench.subject import open_subject

LARGEST_ENGINE_SHARE = 0.1


def dissect(
    *,
    models: Sequence[str],
    dtypes: Sequence[str],
    num_steps: int,
    num_threads: int,
    json_path: Path | None,
) -> None:
    """A step of a chunk, and one of a single token. ModelRefused if a model cannot stream."""
    started = time.perf_counter()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    machine = this_machine(num_threads)
    report = Report()
    report.print_machine(machine)
    results: dict[str, list[Anatomy]] = {}
    aims: dict[str, dict[str, Aim]] = {}
    for model, dtype in product(models, dtypes):
        name = f"{model} {dtype}"
        gc.collect()  # models hold on to themselves in cycles
        results[name] = _measure(model, dtype, num_steps, num_threads)
        report.print_tables(_table(name, anatomy) for anatomy in results[name])
        aims[name] = {"engine_share": _aim(results[name][0])}
    report.print_aims(aims, title=f"Aims, chunks of {CHUNK}")
    print_summary("weir profile", machine, started, results, aims, json_path)


def _measure(model: str, dtype: str, num_steps: int, num_threads: int) -> list[Anatomy]:
    with (
        open_subject(model, dtype, num_rows=1, num_threads=num_threads) as subject,
        stage(f"{model} {dtype}: taking a step apart", 4 * (1 + num_steps)) as advance,
    ):
        return [measure_anatomy(subject, count, num_steps, advance) for count in (CHUNK, 1)]


def _aim(anatomy: Anatomy) -> Aim:
    share = anatomy.engine_share
    what = "share of a step outside the model's own work"
    return Aim(what, LARGEST_ENGINE_SHARE, share, share <= LARGEST_ENGINE_SHARE)


def _table(name: str, anatomy: Anatomy) -> Table:
    title = (
        f"{name}, a step of {anatomy.num_tokens} tokens: {anatomy.step_seconds * 1e3:.2f} ms "
        f"({anatomy.profiled_seconds * 1e3:.2f} under the profiler)"
    )
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("part")
    table.add_column("share", justify="right")
    for part, share in anatomy.shares.items():
        table.add_row(f"[bold]{part}" if part in OF_THE_ENGINE else part, f"{share:.1%}")
    table.add_row("the engine in all", f"{anatomy.engine_share:.1%}", end_section=True)
    for operation, share in anatomy.costliest.items():
        table.add_row(f"of which {operation}", f"{share:.1%}")
    return table
