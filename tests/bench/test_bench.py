"""The benchmark measures what it says. How fast anything is, is not tested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.bench import main
from engine.bench.aims import aims_of
from engine.bench.decoding import measure_decoding, ours
from engine.bench.feeding import OURS, STOCK_RECOMPUTE, STOCK_SINGLE, measure_feeding
from engine.bench.interleaved import Spread, Work, run_interleaved
from engine.bench.long_run import Age, choose_age, measure_long_run, num_long_run_tokens
from engine.bench.run import run
from engine.bench.run_size import CHUNK, OLD_TOKENS, QUICK, YOUNG_TOKENS, RunSize
from engine.bench.same_model import measure_agreement
from engine.bench.snapshot_costs import measure_snapshots
from engine.bench.subject import Subject, feed, open_subject
from engine.weights.packing import PackedLinear

SHORT = RunSize(
    rounds=1,
    level_rounds=2,
    chunks_per_turn=1,
    singles_per_turn=4,
    windows_per_turn=2,
    decoded_per_turn=3,
    num_streams=(1, 4),
    snapshots=1,
    feed_seconds=0.0,
    sample_tokens=600,
)


@pytest.fixture
def subject(tiny_model: Path) -> Iterator[Subject]:
    with open_subject(str(tiny_model), "float32", num_rows=6, num_threads=1) as subject:
        yield subject
        assert subject.engine.num_free_rows == 6, "a measurement left a session open"


@pytest.fixture
def stock_calls(subject: Subject) -> list[tuple[int, ...]]:
    """Shapes of the token ids of every forward pass of the stock model."""
    shapes: list[tuple[int, ...]] = []

    def note(_module: object, _args: object, options: dict[str, torch.Tensor]) -> None:
        shapes.append(tuple(options["input_ids"].shape))

    subject.stock.hf.base_model.register_forward_pre_hook(note, with_kwargs=True)
    return shapes


def nothing(_amount: int) -> None:
    """For measurements whose progress nobody watches."""


class Scene:
    """Runs on a clock of their own, and what they did in which order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    @contextmanager
    def run(self, name: str, seconds: Iterator[float]) -> Iterator[Work]:
        self.now += 1000
        yield lambda: self._work(name, next(seconds))
        self.now += 1000

    def _work(self, name: str, seconds: float) -> int:
        self.order.append(name)
        self.now += seconds
        return 2


def test_turns_time_the_work_alone_and_leave_out_the_warm_up() -> None:
    scene = Scene()
    seconds = iter([99.0, 2.0, 4.0, 8.0])
    measured = run_interleaved(
        {"a": lambda: scene.run("a", seconds)}, 3, advance=nothing, clock=lambda: scene.now
    )
    assert measured.seconds_per_token == {"a": [1.0, 2.0, 4.0]}
    assert measured.tokens_per_second("a") == 0.5


def test_turns_alternate_and_ratios_are_those_of_each_round() -> None:
    scene = Scene()
    # A machine that gets ten times slower every round: b takes three times as long all the same.
    fast, slow = (iter([factor * 10.0**round_ for round_ in range(4)]) for factor in (1, 3))
    measured = run_interleaved(
        {"a": lambda: scene.run("a", fast), "b": lambda: scene.run("b", slow)},
        3,
        advance=nothing,
        clock=lambda: scene.now,
    )
    assert "".join(scene.order) == "ab" + "ab" + "ba" + "ab"
    assert measured.ratio("b", "a") == Spread(3.0, 3.0, 3.0)


def test_stock_model_is_untouched_and_attends_by_itself(subject: Subject) -> None:
    own, stock = subject.engine.model.hf, subject.stock.hf
    assert not any(isinstance(module, PackedLinear) for module in stock.modules())
    assert stock.config._attn_implementation == "sdpa"
    assert own.config._attn_implementation != "sdpa"


def test_agreement_sees_a_model_that_computes_something_else(subject: Subject) -> None:
    agreement = measure_agreement(subject)
    assert agreement.max_difference_from_stock < 1e-4
    assert agreement.max_difference_of_chunks_from_singles < 1e-4
    head = subject.stock.hf.lm_head
    head.weight = torch.nn.Parameter(head.weight.detach().flip(0))
    assert measure_agreement(subject).max_difference_from_stock > 1e-2


def test_stock_participants_feed_as_they_are_named(
    subject: Subject, stock_calls: list[tuple[int, ...]]
) -> None:
    past, fresh = torch.ones(1, 9, dtype=torch.long), torch.ones(1, 4, dtype=torch.long)
    with subject.stock.feeding(past, fresh, 1) as work:
        assert stock_calls == [(1, 9)], "the cache is filled before the run is timed"
        assert work() == 4
    assert stock_calls[1:] == [(1, 1)] * 4
    stock_calls.clear()
    with subject.stock.recomputing(past, 3) as work:
        assert not stock_calls
        assert work() == 3
    assert stock_calls == [(1, 9)] * 3


def test_stock_generate_reads_its_cache_and_counts_every_row(
    subject: Subject, stock_calls: list[tuple[int, ...]]
) -> None:
    past = torch.tensor([subject.tokens(9)])
    with subject.stock.generating(past, 5, 3) as work:
        assert stock_calls == [(1, 8)]
        assert work() == 15
    assert stock_calls[1:] == [(3, 1)] * 5


def test_feeding_computes_every_token_in_chunks_of_the_size_it_says(subject: Subject) -> None:
    with subject.session_of(0) as session:
        assert feed(subject.engine, session, subject.tokens(2 * CHUNK + 1)) == 2 * CHUNK + 1
        assert session.num_computed == 2 * CHUNK + 1
        assert not subject.engine.has_work


def test_feeding_compares_every_participant_with_ours(subject: Subject) -> None:
    feeding = measure_feeding(subject, SHORT, nothing)
    assert feeding.time_against_ours[OURS] == Spread(1.0, 1.0, 1.0)
    for name, speed in feeding.tokens_per_second.items():
        ratio = feeding.tokens_per_second[OURS] / speed
        assert feeding.time_against_ours[name].median == pytest.approx(ratio)
    assert {STOCK_SINGLE, STOCK_RECOMPUTE} <= set(feeding.tokens_per_second)


def test_level_measures_ages_that_do_not_change_meanwhile(subject: Subject) -> None:
    told: list[int] = []
    age = Age(SHORT.sample_tokens, start=OLD_TOKENS - SHORT.sample_tokens)
    long_run = measure_long_run(subject, SHORT, age, told.append)
    assert long_run.old_counter == OLD_TOKENS
    assert len(long_run.stretch_speeds) == 10
    assert sum(told) == num_long_run_tokens(SHORT, age)


def test_kv_formula_is_what_the_tensors_take(subject: Subject) -> None:
    long_run = measure_long_run(subject, SHORT, Age(300), nothing)
    assert (
        long_run.memory_young.kv_bytes
        == long_run.memory_old.kv_bytes
        == long_run.kv_bytes_by_formula
    )
    # 6 rows of 4 + 252 slots, 2 layers, 2 heads, a key and a value of 8 numbers of 4 bytes.
    assert long_run.kv_bytes_by_formula == 6 * 256 * 2 * 2 * 2 * 8 * 4


def test_forks_measure_an_age_in_one_row_and_leave_it_as_it_is(subject: Subject) -> None:
    with subject.session_of(YOUNG_TOKENS) as young, subject.session_of(0) as old:
        rows = set()
        for session in (young, old, young):
            before = session.num_computed
            with subject.fork_of(session) as fork:
                rows.add(fork.row)
                feed(subject.engine, fork, subject.tokens(CHUNK))
            assert session.num_computed == before
        assert len(rows) == 1


@pytest.mark.parametrize(
    ("tokens_per_second", "is_aimed", "asked", "age"),
    [
        (1e6, True, None, Age(OLD_TOKENS)),
        (1e3, True, None, Age(QUICK.sample_tokens, start=OLD_TOKENS - QUICK.sample_tokens)),
        (1e6, False, None, Age(QUICK.sample_tokens, start=OLD_TOKENS - QUICK.sample_tokens)),
        (1e3, False, 5_000_000, Age(5_000_000)),
    ],
)
def test_a_million_is_fed_where_there_is_time_or_when_asked_for(
    tokens_per_second: float, is_aimed: bool, asked: int | None, age: Age
) -> None:
    chosen = choose_age(QUICK, asked, is_aimed=is_aimed, tokens_per_second=tokens_per_second)
    assert chosen == age


def test_streams_together_decode_in_the_same_steps(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, int]] = []
    step = subject.engine.step

    def noted_step() -> object:
        report = step()
        sizes.append((report.num_sessions, report.num_generated))
        return report

    monkeypatch.setattr(subject.engine, "step", noted_step)
    decoding = measure_decoding(subject, SHORT, nothing)
    assert decoding.speed_against_one[ours(1)] == Spread(1.0, 1.0, 1.0)
    # The warm-up run and one round of each participant.
    assert sizes.count((4, 4)) == 2 * SHORT.decoded_per_turn
    assert sizes.count((1, 1)) == 2 * SHORT.decoded_per_turn


def test_snapshot_costs_name_the_size_of_the_file_and_of_the_row(subject: Subject) -> None:
    costs = measure_snapshots(subject, SHORT.snapshots, nothing)
    assert costs.row_bytes == 256 * 2 * 2 * 2 * 8 * 4
    assert costs.row_bytes < costs.file_bytes < costs.row_bytes + 4096


def test_aims_compare_what_was_measured(subject: Subject) -> None:
    agreement = measure_agreement(subject)
    feeding = measure_feeding(subject, SHORT, nothing)
    long_run = measure_long_run(subject, SHORT, Age(300), nothing)
    aims = aims_of(agreement, feeding, long_run)
    times = feeding.time_against_ours[STOCK_SINGLE].median
    assert aims["feed_vs_token_by_token"].got == times
    assert aims["feed_vs_token_by_token"].met == (times >= 15)
    assert aims["same_logits_as_stock"].met
    assert aims["level_memory"].met
    grown = replace(long_run.memory_old, kv_bytes=long_run.memory_old.kv_bytes + 1)
    aims = aims_of(agreement, feeding, replace(long_run, memory_old=grown))
    assert not aims["level_memory"].met


def test_last_line_is_one_json_object(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    run(
        models=[str(tiny_model)],
        dtypes=["float32", "bfloat16"],
        run_size=SHORT,
        num_tokens=1500,
        num_threads=1,
        json_path=file,
    )
    last_line = capsys.readouterr().out.splitlines()[-1]
    summary = json.loads(last_line)
    assert json.loads(file.read_text()) == summary
    assert {"cpu", "num_threads", "torch", "transformers"} <= set(summary["machine"])
    assert set(summary["results"]) == {f"{tiny_model} float32", f"{tiny_model} bfloat16"}
    assert summary["results"][f"{tiny_model} float32"]["level"]["old_counter"] == 1500
    aims = summary["aims"]
    assert set(aims) == {f"{tiny_model} float32"}, "aims are stated for float32"
    assert all({"aim", "got", "met"} <= set(aim) for aim in aims[f"{tiny_model} float32"].values())


def test_a_model_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--model", "/no/such/model"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("weir bench: ")
