"""A model that the demo is to have is fetched once, and that is said beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import AddedModels, ModelRefused
from worker.demo.model import fetch_model


class Shelf(AddedModels):
    """Models without a network: `add` makes a folder, or fails as it is told to."""

    def __init__(self, folder: Path, failure: Exception | None = None) -> None:
        super().__init__(folder)
        self.place = folder / "added"
        self.failure = failure
        self.fetched: list[str] = []

    def add(self, name: str, fetch: object = None) -> Path:
        self.fetched.append(name)
        if self.failure:
            raise self.failure
        (self.place / name).mkdir(parents=True)
        return self.place / name


def said(shelf: Shelf, asked: str | None = None, **environment: str) -> list[str]:
    lines: list[str] = []
    fetch_model(asked, environment, lines.append, open_models=lambda _: shelf)
    return lines


def test_it_is_fetched_once_and_said_beforehand(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    [line] = said(shelf, "smollm2")
    assert "93 MB" in line
    assert said(shelf, "smollm2") == said(shelf, WEIR_MODEL="smollm2") == []
    assert shelf.fetched == ["smollm2"]


@pytest.mark.parametrize("name", [None, "bundled", "org/some-model", "/some/folder"])
def test_any_other_model_is_left_to_the_worker(tmp_path: Path, name: str | None) -> None:
    shelf = Shelf(tmp_path)
    assert said(shelf, name) == []
    assert shelf.fetched == []


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert said(shelf, "bundled", WEIR_MODEL="smollm2") == []


@pytest.mark.parametrize("failure", [ModelRefused("There is no network."), OSError("disk full")])
def test_what_cannot_be_had_is_refused_with_the_reason(tmp_path: Path, failure: Exception) -> None:
    with pytest.raises(ModelRefused, match=str(failure)):
        said(Shelf(tmp_path, failure), "smollm2")


def test_models_are_looked_for_where_the_worker_looks(tmp_path: Path) -> None:
    asked_for: list[Path] = []

    def open_models(folder: Path) -> AddedModels:
        asked_for.append(folder)
        return Shelf(tmp_path)

    fetch_model(None, {"WEIR_MODELS_DIR": "/elsewhere"}, print, open_models=open_models)
    assert asked_for == [Path("/elsewhere")]
