"""`weir plan`: what a model needs, with nothing loaded, and what the worker would choose for it."""

from __future__ import annotations

import re

import pytest

from engine.bench import speeds
from tests.engine.streams import tiny_engine
from worker.cli import main
from worker.settings.config import load_settings
from worker.stream.kit import engine_config


def test_a_plan_says_what_a_worker_with_these_settings_sets_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last line, as an environment, is what a worker without it chooses."""
    assert main(["plan", "--streams", "60"]) == 0
    *_, together, in_full = capsys.readouterr().out.splitlines()
    assert together.endswith("fits")
    chosen = engine_config(load_settings())
    for name, value in re.findall(r"(WEIR_\w+)=(\S+)", in_full):
        monkeypatch.setenv(name, value)
    said = engine_config(load_settings())
    assert (said.dtype, said.kv_dtype or said.dtype, said.weight_dtype) == (
        chosen.dtype,
        chosen.kv_dtype or chosen.dtype,
        chosen.weight_dtype,
    )
    for name in ("num_rows", "max_chunk", "max_step_tokens", "num_sessions"):
        assert getattr(said, name) == getattr(chosen, name)


def test_streams_without_a_row_are_parked_in_memory_and_beyond_that_on_disk(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--streams", "300", "--num-rows", "10", "--park-host-bytes", "100000000"]
    assert main(["plan", *words]) == 0
    out = capsys.readouterr().out
    assert "of 290 streams that have no row" in out and "on disk" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--memory", "20MB"], "of 20,000,000 of memory"),
        (["--gpu-memory", "100MB", "--num-rows", "48"], "of 100,000,000 of the GPU's memory"),
    ],
)
def test_what_does_not_fit_is_said_and_told_by_the_exit_code(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words]) == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if said in line]
    assert line.endswith("DOES NOT FIT")


@pytest.mark.parametrize("size", ["much", "0", "-1GB", "16 PB", ""])
def test_a_size_that_is_none_gets_one_line(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", f"--memory={size}"])
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "16GB" in error


def test_a_model_that_is_not_there_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--model", "/nowhere"]) == 2
    assert capsys.readouterr().err == (
        "weir plan: /nowhere could not be loaded: there is no such directory.\n"
    )


def test_what_is_measured_is_what_was_computed_in_the_time() -> None:
    """A clock that moves a second at every look: one piece of work is all there is time for."""
    engine = tiny_engine(num_rows=6)
    ticks = iter(range(100))
    measured = speeds.measure_speeds(engine, seconds=1.0, clock=lambda: float(next(ticks)))
    assert (measured.fed, measured.decoded) == (8, 1)
    assert (measured.decoded_together, measured.num_together) == (5, 5)
    assert engine.num_free_rows == 6
    # A second of somebody's four tokens is fed in half a second; what is written takes as long.
    assert measured.streams_of(4.0, written_per_token=5 / 8) == pytest.approx(1.0)
