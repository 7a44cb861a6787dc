"""Beside its peers everyone is asked for the same, interleaved, and may be lost on the way."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import product
from pathlib import Path

import pytest

from engine.bench import main
from engine.bench.interleaved import Spread, Work
from engine.bench.peers.aims import aims_of
from engine.bench.peers.environment import PeerLost, PeerUnavailable, Recipe
from engine.bench.peers.measure import Decoded, Fed, measure_decoding, measure_feeding
from engine.bench.peers.participants import (
    IN_CHUNKS,
    TOKEN_BY_TOKEN,
    WEIR,
    Participant,
    StreamCosts,
    in_int8,
    weir,
)
from engine.bench.peers.peer_processes import LLAMA_CPP, PEERS, SINKS
from engine.bench.peers.run import by_those_who_stay, measure_beside, run_peers
from engine.bench.peers.run_size import PeerRunSize
from engine.bench.subject import Subject, open_subject

SHORT = PeerRunSize(
    feeding_rounds=1,
    decoding_rounds=1,
    chunks_per_turn=1,
    singles_per_turn=2,
    windows_per_turn=1,
    num_decoded={1: 2, 16: 2},
    snapshots=1,
)
NUM_ROWS = 18


@pytest.fixture
def subject(tiny_model: Path) -> Iterator[Subject]:
    with open_subject(str(tiny_model), "float32", num_rows=NUM_ROWS, num_threads=1) as subject:
        yield subject
        assert subject.engine.num_free_rows == NUM_ROWS, "a session was left open"


def nothing(_amount: int) -> None:
    """For measurements whose progress nobody watches."""


def run_of(work: Work) -> Callable[[], AbstractContextManager[Work]]:
    @contextmanager
    def run() -> Iterator[Work]:
        yield work

    return run


def participant(who: str, precision: str, work: Work) -> Participant:
    run = run_of(work)
    return Participant(
        who,
        precision,
        {IN_CHUNKS: run},
        {1: run, 16: run},
        lambda: StreamCosts(1, None, None, ""),
    )


def fed(who: str, precision: str, way: str, speed: float, times: float) -> Fed:
    spread = Spread(times, times, times)
    return Fed(who, precision, way, speed, spread, spread)


def decoded(who: str, precision: str, times: float, together: float) -> Decoded:
    spread = Spread(times, times, times)
    return Decoded(who, precision, {1: 1.0}, spread, spread, Spread(together, together, together))


def test_our_sessions_feed_and_decode_as_they_are_counted(subject: Subject) -> None:
    with ExitStack() as stack:
        ours = weir(stack, subject, SHORT)
        for run in ours.feeding.values():
            with run() as work:
                assert work() in (SHORT.chunks_per_turn * 256, SHORT.singles_per_turn)
        for num_streams, run in ours.decoding.items():
            with run() as work:
                assert work() == num_streams * SHORT.num_decoded[num_streams]
        assert ours.keep().stream_bytes == 256 * 2 * 2 * 2 * 8 * 4


def test_everyone_is_compared_with_us_in_the_same_precision_and_at_our_best() -> None:
    everyone = [
        participant(WEIR, "float32", lambda: 1),
        participant(WEIR, "bfloat16", lambda: 10**9),
        participant("other", "float32", lambda: 1),
        participant("other", "q8_0", lambda: 1),
    ]
    for figures in (
        measure_feeding(everyone, SHORT, nothing),
        measure_decoding(everyone, SHORT, nothing),
    ):
        ours, best, same, own = figures
        assert ours.against_same == best.against_same == Spread(1.0, 1.0, 1.0)
        # A work of a billion tokens is our best, whatever the clock says.
        assert best.against_best == Spread(1.0, 1.0, 1.0)
        assert own.against_same is None
        assert same.against_same is not None
        assert same.against_best.median > 1000 * same.against_same.median


def test_aims_are_those_of_the_peers_that_came() -> None:
    feeding = [
        fed(WEIR, "float32", IN_CHUNKS, 100.0, 1.0),
        fed(SINKS, "float32", TOKEN_BY_TOKEN, 5.0, 20.0),
        fed(SINKS, "float32", IN_CHUNKS, 90.0, 1.1),
        fed(LLAMA_CPP, "float32", "so", 80.0, 1.25),
        fed(LLAMA_CPP, "q8_0", "so", 90.0, 1.1),
    ]
    decoding = [
        decoded(WEIR, "float32", 1.0, 7.0),
        decoded(LLAMA_CPP, "float32", 0.5, 2.0),
    ]
    differences = {"llama.cpp float32": 1e-5, "llama.cpp q8_0": 0.3}
    got = {
        name: (aim.got, aim.met) for name, aim in aims_of(differences, feeding, decoding).items()
    }
    assert got == {
        "same_logits_llama.cpp float32": (1e-5, True),
        "feed_vs_attention_sinks": (20.0, True),
        "feed_vs_llama_cpp": (1.1, False),
        "decode_vs_llama_cpp_float32": (0.5, False),
        "sixteen_streams": (7.0, True),
    }
    assert aims_of({}, feeding[:1], decoding[:1]).keys() == {"sixteen_streams"}


def test_who_is_lost_on_the_way_leaves_the_others_measured(
    subject: Subject,
) -> None:
    """The environments are there and cannot load what they are for: our own Python has neither."""
    pythons = {kind.recipe: Path(sys.executable) for kind in PEERS}
    with ExitStack() as stack:
        result = measure_beside(stack, [subject], SHORT, 1, pythons)
    in_bytes = f"{WEIR} {in_int8('float32')}"
    absent = {name: reason for name, reason in result.absent.items() if name != in_bytes}
    assert absent.keys() == {"attention_sinks float32", "llama.cpp float32", "llama.cpp q8_0"}
    assert all("No module named" in reason for reason in absent.values())
    assert {figure.who for figure in result.feeding} == {WEIR, "stock transformers"}
    assert {figure.who for figure in result.decoding} == {WEIR, "stock transformers"}
    came = {in_bytes} - result.absent.keys()
    assert result.keeping.keys() == {"weir float32", "stock transformers float32"} | came


def test_who_fails_in_the_middle_of_a_turn_is_left_out_of_what_is_measured() -> None:
    def lost() -> int:
        raise PeerLost("other float32", "feed: it ended")

    everyone = [participant(WEIR, "float32", lambda: 1), participant("other", "float32", lost)]
    absent: dict[str, str] = {}
    figures = by_those_who_stay(
        everyone, absent, lambda those: measure_feeding(those, SHORT, nothing)
    )
    assert [figure.who for figure in figures] == [WEIR]
    assert absent == {"other float32": "feed: it ended"}
    assert [c.who for c in everyone] == [WEIR], "whoever is lost is not asked again"


def test_last_line_is_one_json_object_with_the_reasons_of_the_absent(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(_recipe: Recipe, _home: Path) -> None:
        raise PeerUnavailable("there is no network")

    run_peers(
        models=[str(tiny_model)],
        dtypes=["float32", "bfloat16"],
        run_size=SHORT,
        num_threads=1,
        cache=tmp_path,
        json_path=tmp_path / "peers.json",
        install=install,
    )
    printed = capsys.readouterr().out
    summary = json.loads(printed.splitlines()[-1])
    assert json.loads((tmp_path / "peers.json").read_text()) == summary
    result = summary["results"][str(tiny_model)]
    absent = dict.fromkeys(("attention-sinks", "llama-cpp"), "there is no network")
    assert result["absent"].items() >= absent.items()
    assert "there is no network" in printed
    dtypes = ("float32", "bfloat16")
    # Without torchao, or on a processor without products of int8, there are none, and a reason.
    in_bytes = {in_int8(dtype) for dtype in dtypes}
    came = {precision for precision in in_bytes if f"{WEIR} {precision}" not in result["absent"]}
    assert {(figure["who"], figure["precision"]) for figure in result["decoding"]} == {
        *product((WEIR, "stock transformers"), dtypes),
        *product((WEIR,), came),
    }
    assert summary["aims"][str(tiny_model)].keys() == {"sixteen_streams"}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--peers", "--profile"], "not allowed with argument"),
        (["--peers", "--tokens", "5"], "not allowed with argument"),
        (["--peers", "--dtype", "int3"], "invalid choice: 'int3'"),
    ],
)
def test_wrong_arguments_are_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
