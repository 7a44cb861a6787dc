"""Steps as a GPU takes them, on the CPU: kernels are interpreted, recordings done again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION
from engine.gpu import Gpu, gpu_of
from engine.gpu.recordings import Play
from engine.model.model import StreamingModel
from engine.schedule.generation import GenerateRequest
from tests.engine.families import tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, run, tiny_engine, tokens

TOLERANCE = 1e-4
COMPILE = Path(__file__).with_name("compile_kernels.py")
# Distances added to scores, a learned sink and experts, a soft cap and a window of a layer's own, a
# head that turns in part, a layer that does not turn.
FAMILIES = ["llama", "falcon-alibi-one-kv-head-of-six", "gpt-oss", "gemma2", "phi", "smollm3"]
# Where it is not the heads that matter: half the programs to interpret.
ONE_HEAD = "llama-one-kv-head"


@dataclass
class Tape:
    """Records as a CUDA graph does, over the same memory each time, but does it all again."""

    num_recorded: int = 0
    num_played: int = 0

    def record(self, compute: Callable[[], Tensor]) -> tuple[Play, Tensor]:
        self.num_recorded += 1
        result = compute()

        def play() -> None:
            self.num_played += 1
            result.copy_(compute())

        return play, result


def on_gpu(family: str, gpu: Gpu) -> StreamingModel:
    """Not held against its own attention as any other model is: that is here done by a test."""
    with patch("engine.model.model.check_against_own_attention"):
        return checked_on_gpu(family, gpu)


def checked_on_gpu(family: str, gpu: Gpu, *, is_broken: bool = False) -> StreamingModel:
    hf = tiny(family)
    set_attention(hf, IMPLEMENTATION)
    model = StreamingModel(hf, gpu=gpu)
    assert (model.gpu_steps is None) == is_broken
    return model


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_any_company_on_a_gpu_equals_the_reference(family: str) -> None:
    model = on_gpu(family, Gpu(3, Tape().record))
    streams = [
        Stream(3, tokens(16, 1)),
        Stream(0, tokens(14, 2), joins_at=1, num_discard=5),
        Stream(5, tokens(27, 3), joins_at=1, position_limit=20),
    ]
    # The longest one has single tokens left when the others have none.
    results = mixture_logits(model, streams, 10, 5, 11)
    for stream, logits in zip(streams, results, strict=True):
        window = stream.num_sinks, 10 - stream.num_sinks, stream.num_discard
        expected = reference_logits(tiny(family), stream.token_ids, *window)
        torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)


def test_decoding_that_is_played_equals_the_reference() -> None:
    tape = Tape()
    model = on_gpu(ONE_HEAD, Gpu(3, tape.record))
    streams = [Stream(i, tokens(8 + i, i), joins_at=3 * i) for i in range(3)]
    results = mixture_logits(model, streams, 5, 1, 3)
    for stream, logits in zip(streams, results, strict=True):
        expected = reference_logits(
            tiny(ONE_HEAD), stream.token_ids, stream.num_sinks, 5 - stream.num_sinks
        )
        torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)
    assert tape.num_recorded == 3  # for one session, for two, and for all
    assert tape.num_played > 10


def test_an_engine_on_a_gpu_generates_what_it_generates_elsewhere() -> None:
    texts = []
    for gpu in (None, Gpu(1, Tape().record)):
        engine = tiny_engine(ONE_HEAD, num_recent=8)
        if gpu:
            engine.model = on_gpu(ONE_HEAD, gpu)
        sessions = [engine.open(prefix=tokens(n)) for n in (3, 8, 1)]
        for session in sessions:
            engine.generate(session, tokens(3, seed=7), GenerateRequest(max_tokens=5))
        run(engine)
        texts.append([session.generated for session in sessions])
    assert texts[0] == texts[1]


def test_a_step_that_cannot_be_recorded_is_computed(caplog: pytest.LogCaptureFixture) -> None:
    def record(_: Callable[[], Tensor]) -> tuple[Play, Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing")

    model = checked_on_gpu(ONE_HEAD, Gpu(1, record))
    token_ids = tokens(7)
    (logits,) = mixture_logits(model, [Stream(2, token_ids)], 5, 1, 1)
    expected = reference_logits(tiny(ONE_HEAD), token_ids, 2, 3)
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)
    assert [record.message for record in caplog.records] == [
        "Decoding steps of this model cannot be recorded: "
        "operation not permitted when stream is capturing"
    ]


def test_kernels_that_fail_at_load_are_not_used(caplog: pytest.LogCaptureFixture) -> None:
    @dataclass(frozen=True)
    class Broken(Gpu):
        def steps(self, *_: object) -> object:  # type: ignore[override]
            return self

        def compute(self, *_: object, **__: object) -> Tensor:
            raise OSError("no compiler\nfor this card")

    model = checked_on_gpu(ONE_HEAD, Broken(1, None), is_broken=True)
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "no compiler" in caplog.text
    token_ids = tokens(12)
    (logits,) = mixture_logits(model, [Stream(2, token_ids)], 8, 5, 5)
    expected = reference_logits(tiny(ONE_HEAD), token_ids, 2, 6)
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)


def test_a_cpu_is_no_gpu() -> None:
    assert gpu_of(torch.device("cpu")) is None


@pytest.mark.timeout(300)
def test_kernels_compile_for_a_gpu_that_is_not_here(tmp_path: Path) -> None:
    """The interpreter takes what the compiler refuses. Hopper, with its own matrix products."""
    env = os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_DEFAULT_FP_FUSION": "1"}
    del env["TRITON_INTERPRET"]
    done = subprocess.run(
        [sys.executable, COMPILE], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sizes = [int(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(sizes) == 12
    assert max(sizes) <= 99 * 1024  # what even small cards have for a block
