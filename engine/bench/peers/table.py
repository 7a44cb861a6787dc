"""What a person reads of it: three tables for each model, who was absent and why, the aims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from engine.bench.peers.measure import TOGETHER

if TYPE_CHECKING:
    from engine.bench.interleaved import Spread
    from engine.bench.peers.result import Result


def tables_of(model: str, result: Result) -> list[Table]:
    return [
        _same_model(model, result),
        _feeding(model, result),
        _decoding(model, result),
        _snapshots(model, result),
        _absent(result),
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _same_model(model: str, result: Result) -> Table:
    table = _table(f"{model}: is it the same model?", "who", "largest difference of logits", "runs")
    told = ""
    for name, difference in result.differences.items():
        runs = result.versions[name]
        table.add_row(name, f"{difference:.1e}", "the same" if runs == told else runs)
        told = runs
    return table


def _feeding(model: str, result: Result) -> Table:
    title = f"{model}: feeding (ratios: its time per token against ours in chunks)"
    table = _table(title, "who, how", "tokens/s", "same precision", "our best")
    for fed in result.feeding:
        table.add_row(
            f"{fed.who} {fed.precision}, {fed.way}",
            f"{fed.tokens_per_second:,.0f}",
            _spread(fed.against_same),
            _spread(fed.against_best),
        )
    return table


def _decoding(model: str, result: Result) -> Table:
    title = f"{model}: decoding, tokens/s of all streams (ratios: its time, one stream, to ours)"
    counts = list(result.decoding[0].tokens_per_second)
    columns = [f"{count}" for count in counts]
    table = _table(title, "who", *columns, f"{TOGETHER} : 1", "same precision", "our best")
    for decoded in result.decoding:
        table.add_row(
            f"{decoded.who} {decoded.precision}",
            *(f"{decoded.tokens_per_second[count]:,.0f}" for count in counts),
            f"{decoded.together.median:.3g}",
            _spread(decoded.against_same),
            _spread(decoded.against_best),
        )
    return table


def _snapshots(model: str, result: Result) -> Table:
    table = _table(f"{model}: keeping one stream", "who", "bytes", "save", "restore", "note")
    for name, kept in result.keeping.items():
        table.add_row(
            name,
            f"{kept.stream_bytes:,}" if kept.stream_bytes is not None else "-",
            _milliseconds(kept.save_seconds),
            _milliseconds(kept.restore_seconds),
            kept.note,
        )
    return table


def _absent(result: Result) -> Table:
    table = _table("Absent", "who", "why")
    for name, reason in result.absent.items():
        table.add_row(name, reason)
    if not result.absent:
        table.add_row("nobody", "")
    return table


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.median:.3g} ({spread.lower:.3g} to {spread.upper:.3g})"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.2f} ms"
