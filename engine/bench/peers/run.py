"""The whole comparison: environments, the same weights, interleaved runs, tables, one JSON line."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import transformers

from engine.bench.aims import Aim
from engine.bench.json_line import print_summary
from engine.bench.machine import this_machine
from engine.bench.peers import measure, participants
from engine.bench.peers.admission import Absent, AdmittedPeers, noting
from engine.bench.peers.aims import aims_of
from engine.bench.peers.environment import (
    Install,
    PeerLost,
    install_by_pip,
    python_of,
    recipes,
)
from engine.bench.peers.participants import Participant
from engine.bench.peers.result import Result
from engine.bench.peers.run_size import PeerRunSize
from engine.bench.peers.table import tables_of
from engine.bench.progress import stage
from engine.bench.report import Report
from engine.bench.run import SPARE_ROWS
from engine.bench.run_size import WINDOW_FACTS
from engine.bench.subject import Subject, open_subject

T = TypeVar("T")


def run_peers(
    *,
    models: Sequence[str],
    dtypes: Sequence[str],
    run_size: PeerRunSize,
    num_threads: int,
    cache: Path,
    json_path: Path | None,
    install: Install = install_by_pip,
) -> None:
    """Every model, everyone interleaved. ModelRefused if one of the models cannot stream."""
    started = time.perf_counter()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    machine = this_machine(num_threads)
    report = Report()
    report.print_machine(machine)
    pythons, not_installed = install_peers(cache, install)
    results: dict[str, Result] = {}
    aims: dict[str, dict[str, Aim]] = {}
    for model in models:
        gc.collect()  # models hold on to themselves in cycles
        result = _measure(model, dtypes, run_size, num_threads, pythons)
        result.absent.update(not_installed)
        report.print_tables(tables_of(model, result))
        results[model] = result
        aims[model] = aims_of(result.differences, result.feeding, result.decoding)
    report.print_aims(aims, title="Aims beside the peers")
    facts = {"window": WINDOW_FACTS, "effort": run_size}
    print_summary("weir peers", machine, started, results, aims, json_path, **facts)


def install_peers(cache: Path, install: Install = install_by_pip) -> tuple[dict[str, Path], Absent]:
    """The Python of every peer that could be installed, and why the others could not."""
    pythons: dict[str, Path] = {}
    absent: Absent = {}
    for recipe in recipes():
        with noting(absent, recipe.name):
            pythons[recipe.name] = python_of(recipe, cache, install)
    return pythons, absent


def _measure(
    model: str,
    dtypes: Sequence[str],
    run_size: PeerRunSize,
    num_threads: int,
    pythons: Mapping[str, Path],
) -> Result:
    with ExitStack() as stack:
        with stage(f"{model}: loading", 1):
            num_rows = max(run_size.num_decoded) + SPARE_ROWS
            subjects = [
                stack.enter_context(
                    open_subject(model, dtype, num_rows=num_rows, num_threads=num_threads)
                )
                for dtype in dtypes
            ]
        return measure_beside(stack, subjects, run_size, num_threads, pythons)


def measure_beside(
    stack: ExitStack,
    subjects: Sequence[Subject],
    run_size: PeerRunSize,
    num_threads: int,
    pythons: Mapping[str, Path],
) -> Result:
    """The first subject is the model that goes out to the peers and that they are checked against.

    Peers live until `stack` is closed.
    """
    first = subjects[0]
    everyone: list[Participant] = []
    for subject in subjects:
        everyone.append(participants.weir(stack, subject, run_size))
        everyone.append(participants.stock(subject, run_size))
    folder = Path(stack.enter_context(TemporaryDirectory()))
    peers = AdmittedPeers(first, run_size, num_threads, folder)
    for subject in subjects:
        with noting(peers.absent, f"{participants.WEIR} {participants.in_int8(subject.dtype)}"):
            everyone.append(participants.weir(stack, participants.quantised(subject), run_size))
    with stage(f"{first.model}: bringing the weights to the peers", 1):
        peers.admit(stack, pythons, [subject.dtype for subject in subjects])
    everyone += peers.participants
    absent = peers.absent
    with stage(f"{first.model}: feeding", run_size.feeding_rounds) as advance:
        fed = by_those_who_stay(
            everyone, absent, lambda those: measure.measure_feeding(those, run_size, advance)
        )
    with stage(f"{first.model}: decoding", run_size.decoding_rounds) as advance:
        decoded = by_those_who_stay(
            everyone, absent, lambda those: measure.measure_decoding(those, run_size, advance)
        )
    with stage(f"{first.model}: keeping a stream", len(everyone)) as advance:
        kept = by_those_who_stay(
            everyone, absent, lambda those: measure.measure_snapshots(those, advance)
        )
    return Result(
        first.num_parameters, peers.versions, peers.differences, fed, decoded, kept, absent
    )


def by_those_who_stay(
    everyone: list[Participant], absent: Absent, measured: Callable[[list[Participant]], T]
) -> T:
    """Measure again without whoever was lost on the way; `everyone` and `absent` follow."""
    try:
        return measured(everyone)
    except PeerLost as lost:
        absent[lost.name] = str(lost)
        everyone[:] = [c for c in everyone if c.name != lost.name]
    return by_those_who_stay(everyone, absent, measured)
