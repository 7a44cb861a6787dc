"""What a person reads: a table for each subject, and the aims at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from engine.bench.feeding import OURS
from engine.bench.interleaved import Spread
from engine.bench.run_size import CHUNK, WINDOW_RECENT, WINDOW_SINKS, YOUNG_TOKENS

if TYPE_CHECKING:
    from engine.bench.aims import Aim
    from engine.bench.decoding import Decoding
    from engine.bench.feeding import Feeding
    from engine.bench.long_run import LongRun
    from engine.bench.machine import Machine
    from engine.bench.result import Result
    from engine.bench.same_model import Agreement
    from engine.bench.snapshot_costs import SnapshotCosts

WIDTH_OF_FILES = 110


class Report:
    """Prints to standard output."""

    def __init__(self) -> None:
        self._console = Console(
            width=None if sys.stdout.isatty() else WIDTH_OF_FILES, highlight=False
        )

    def print_machine(self, machine: Machine) -> None:
        self._console.print(
            f"{machine.cpu}, {machine.num_threads} threads for every party. "
            f"Python {machine.python}, torch {machine.torch}, "
            f"transformers {machine.transformers}.\n"
            f"Window {WINDOW_SINKS} + {WINDOW_RECENT} tokens, chunks of {CHUNK}. "
            f"Load average before: {_load(machine.load_average_before)}"
        )

    def print_result(self, name: str, result: Result) -> None:
        table = Table(
            title=f"{name}, {result.num_parameters / 1e6:.1f} million parameters",
            title_justify="left",
            show_header=False,
        )
        table.add_column("what", ratio=3)
        table.add_column("figure", justify="right")
        table.add_column("beside it", justify="right")
        _add_agreement(table, result.agreement)
        _add_feeding(table, result.feeding)
        _add_long_run(table, result.level)
        _add_decoding(table, result.decoding)
        _add_snapshots(table, result.keeping)
        self._console.print(table)

    def print_tables(self, tables: Iterable[Table]) -> None:
        for table in tables:
            self._console.print(table)

    def print_aims(
        self, aims: Mapping[str, Mapping[str, Aim]], title: str = "Aims (float32)"
    ) -> None:
        table = Table("subject", "aim", "wanted", "got", "met", title=title)
        for name, named in aims.items():
            for aim in named.values():
                sign = "<=" if aim.aim < 1 else ">="
                met = "[green]yes[/]" if aim.met else "[bold red]no[/]"
                table.add_row(name, aim.what, f"{sign} {aim.aim:g}", f"{aim.got:.3g}", met)
        self._console.print(table)
        self._console.print(f"Load average after: {_load(os.getloadavg())}")


def _add_agreement(table: Table, agreement: Agreement) -> None:
    deviation = f"logits' deviation {agreement.logits_deviation:.2f}"
    table.add_row(
        "logits, largest difference from stock attention (window not full)",
        f"{agreement.max_difference_from_stock:.1e}",
        deviation,
    )
    table.add_row(
        f"logits, largest difference of chunks of {CHUNK} from single tokens "
        f"({agreement.num_tokens_past_window} tokens)",
        f"{agreement.max_difference_of_chunks_from_singles:.1e}",
        deviation,
        end_section=True,
    )


def _add_feeding(table: Table, feeding: Feeding) -> None:
    table.add_row("[bold]feeding")
    for name, speed in feeding.tokens_per_second.items():
        beside = "" if name == OURS else _times(feeding.time_against_ours[name], "its time")
        table.add_row(name, f"{speed:,.0f} tokens/s", beside)
    table.rows[-1].end_section = True


def _add_long_run(table: Table, long_run: LongRun) -> None:
    fed = "all really fed"
    if long_run.age.start:
        fed = f"{long_run.age.num_fed:,} really fed, the counter opened at {long_run.age.start:,}"
    ratio = long_run.time_old_against_young
    table.add_row("[bold]level")
    table.add_row(
        f"at {YOUNG_TOKENS:,} tokens", f"{long_run.young_tokens_per_second:,.0f} tokens/s"
    )
    table.add_row(
        f"at {long_run.old_counter:,} tokens ({fed})",
        f"{long_run.old_tokens_per_second:,.0f} tokens/s",
        f"time per token {ratio.median - 1:+.1%} "
        f"({ratio.lower - 1:+.1%} to {ratio.upper - 1:+.1%})",
    )
    slowest, fastest = min(long_run.stretch_speeds), max(long_run.stretch_speeds)
    table.add_row(
        "on the way there, slowest and fastest tenth",
        f"{slowest:,.0f} to {fastest:,.0f} tokens/s",
    )
    young, old = long_run.memory_young, long_run.memory_old
    table.add_row(
        "KV bytes young, old, by formula",
        f"{young.kv_bytes:,}, {old.kv_bytes:,}",
        f"{long_run.kv_bytes_by_formula:,}",
    )
    table.add_row(
        "resident memory young, old",
        f"{_mebibytes(young.resident_bytes)}, {_mebibytes(old.resident_bytes)}",
        f"{old.resident_bytes - young.resident_bytes:+,} bytes",
        end_section=True,
    )


def _add_decoding(table: Table, decoding: Decoding) -> None:
    table.add_row("[bold]decoding, all streams of a line together")
    for name, speed in decoding.tokens_per_second.items():
        beside = _times(decoding.speed_against_one[name], "one of ours")
        table.add_row(name, f"{speed:,.0f} tokens/s", beside)
    table.rows[-1].end_section = True


def _add_snapshots(table: Table, costs: SnapshotCosts) -> None:
    table.add_row("[bold]keeping")
    table.add_row(
        "save a session, synced to disk",
        f"{costs.save_seconds * 1e3:.1f} ms",
        f"{costs.file_bytes:,} bytes (row {costs.row_bytes:,})",
    )
    table.add_row("restore it", f"{costs.restore_seconds * 1e3:.1f} ms")
    table.add_row("fork it in memory", f"{costs.fork_seconds * 1e3:.2f} ms")


def _times(spread: Spread, of_what: str) -> str:
    return f"{spread.median:.3g} x {of_what} ({spread.lower:.3g} to {spread.upper:.3g})"


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.0f} MiB"


def _load(averages: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:.2f}" for value in averages)
