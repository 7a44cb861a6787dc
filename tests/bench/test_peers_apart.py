"""Peers live apart: an environment each, made by pip, and a process each, on a line of JSON."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine.bench.peers.channel import ROOT, Peer, open_peer
from engine.bench.peers.environment import (
    PeerLost,
    PeerUnavailable,
    Recipe,
    python_of,
    recipes,
    run_telling,
)
from engine.bench.peers.run import install_peers

RECIPE = Recipe("fake", minutes=1, requirements=("nothing==1",), variables={"FLAGS": "-O2"})


@contextmanager
def fake_peer(word: str = "on") -> Iterator[Peer]:
    python = Path(sys.executable)
    with open_peer("fake", python, "tests.bench.fake_peer", {"word": word}, num_threads=1) as peer:
        yield peer


class Installer:
    """Makes environments of nothing, and counts them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, recipe: Recipe, home: Path) -> None:
        self.made.append(recipe.name)
        home.mkdir(parents=True, exist_ok=True)


def failing(_recipe: Recipe, home: Path) -> None:
    home.mkdir(parents=True)
    raise PeerUnavailable("no compiler")


def test_a_peer_answers_what_it_is_asked() -> None:
    with fake_peer() as peer:
        assert peer.ask("repeat", times=3) == "on on on"
        assert peer.ask("repeat", times=1) == "on"
        assert peer.ask("threads") == "1"


def test_what_a_peer_prints_is_not_taken_for_its_reply() -> None:
    with fake_peer() as peer:
        assert peer.ask("chatter") == "the truth"
        assert peer.ask("repeat", times=2) == "on on"


def test_a_peer_that_fails_says_why_and_goes_on() -> None:
    with fake_peer() as peer:
        with pytest.raises(PeerLost, match="stumble: RuntimeError: a stone in the way") as lost:
            peer.ask("stumble")
        assert lost.value.name == "fake"
        assert peer.ask("repeat", times=1) == "on"


def test_a_peer_that_cannot_be_made_says_why() -> None:
    with fake_peer("refuse") as peer, pytest.raises(PeerLost, match="ValueError: no such word"):
        peer.ask("repeat", times=1)


def test_a_peer_that_dies_leaves_its_last_words() -> None:
    with fake_peer() as peer:
        with pytest.raises(PeerLost, match="then all of it"):
            peer.ask("collapse")
        with pytest.raises(PeerLost, match="then all of it"):
            peer.ask("repeat", times=1)


def test_a_peer_finds_its_own_libraries_before_ours() -> None:
    with fake_peer() as peer:
        paths = peer.ask("paths")
    assert paths[-1] == str(ROOT)
    assert str(ROOT) not in paths[:-1] and "" not in paths


def test_no_process_is_left_behind() -> None:
    before = {child.pid for child in psutil.Process().children()}
    with fake_peer() as peer:
        peer.ask("repeat", times=1)
        started = {child.pid for child in psutil.Process().children()} - before
        assert len(started) == 1
    assert not started & {child.pid for child in psutil.Process().children()}


def test_an_environment_is_made_once_for_a_recipe(tmp_path: Path) -> None:
    install = Installer()
    python = python_of(RECIPE, tmp_path, install)
    assert python == tmp_path / "fake" / "bin" / "python"
    assert python_of(RECIPE, tmp_path, install) == python
    assert install.made == ["fake"]
    python_of(replace(RECIPE, variables={"FLAGS": "-O3"}), tmp_path, install)
    assert install.made == ["fake", "fake"]


def test_an_installation_that_failed_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(PeerUnavailable, match="no compiler"):
        python_of(RECIPE, tmp_path, failing)
    install = Installer()
    python_of(RECIPE, tmp_path, install)
    assert install.made == ["fake"]


def test_who_cannot_be_installed_is_absent_for_a_reason(tmp_path: Path) -> None:
    first, second = (recipe.name for recipe in recipes())

    def install(recipe: Recipe, home: Path) -> None:
        (failing if recipe.name == first else Installer())(recipe, home)

    pythons, absent = install_peers(tmp_path, install)
    assert absent == {first: "no compiler"}
    assert pythons == {second: tmp_path / second / "bin" / "python"}


def test_a_failed_command_is_told_in_its_own_words(capfd: pytest.CaptureFixture[str]) -> None:
    script = (
        "import os; print('Collecting', os.environ['WHAT']); print('secret'); "
        "print('ERROR: no such package'); print('hint: try another'); raise SystemExit(1)"
    )
    with pytest.raises(PeerUnavailable, match="ERROR: no such package"):
        run_telling([sys.executable, "-c", script], {"WHAT": "nothing"})
    assert capfd.readouterr().err == "  Collecting nothing\n"


def test_peers_get_the_torch_that_runs_here() -> None:
    """Or pip would bring the build for CUDA, of gigabytes."""
    sinks = next(recipe for recipe in recipes() if recipe.name == "attention-sinks")
    command = [sys.executable, "-c", "import torch; print('torch==' + torch.__version__)"]
    ours = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert ours in sinks.requirements
