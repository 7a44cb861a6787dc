"""The demo's model: fetched once and said beforehand; where it cannot be had, the bundled one."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import AddedModels, ModelRefused
from worker.demo.model import BUNDLED, PREFERRED, demo_model


class Shelf(AddedModels):
    """Models without a network: `add` makes a folder, or fails as it is told to."""

    def __init__(self, folder: Path, failure: Exception | None = None) -> None:
        super().__init__(folder)
        self.place = folder / "added" / PREFERRED
        self.failure = failure
        self.num_fetched = 0

    def add(self, name: str, fetch: object = None) -> Path:
        self.num_fetched += 1
        if self.failure:
            raise self.failure
        self.place.mkdir(parents=True)
        return self.place


def chosen(shelf: Shelf, asked: str | None = None, **environment: str) -> tuple[str, list[str]]:
    said: list[str] = []
    name = demo_model(asked, environment, said.append, open_models=lambda _: shelf)
    return name, said


def test_it_is_fetched_once_and_said_beforehand(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    name, [line] = chosen(shelf)
    assert name == PREFERRED and "93 MB" in line and "--model bundled" in line
    assert chosen(shelf) == (PREFERRED, [])
    assert shelf.num_fetched == 1


@pytest.mark.parametrize("failure", [ModelRefused("There is no network."), OSError("disk full")])
def test_where_it_cannot_be_had_the_bundled_model_does_its_work_and_says_why(
    tmp_path: Path, failure: Exception
) -> None:
    name, lines = chosen(Shelf(tmp_path, failure))
    assert name == BUNDLED
    assert str(failure) in lines[-1]


@pytest.mark.parametrize("name", ["bundled", "org/some-model", "/some/folder"])
def test_a_model_that_the_user_names_is_what_runs_and_nothing_is_fetched(
    tmp_path: Path, name: str
) -> None:
    shelf = Shelf(tmp_path)
    assert chosen(shelf, asked=name) == (name, [])
    assert chosen(shelf, WEIR_MODEL=name) == (name, [])
    assert chosen(shelf, asked=name, WEIR_MODEL=PREFERRED) == (name, [])
    assert shelf.num_fetched == 0


def test_a_known_model_that_the_user_names_is_fetched_and_never_replaced(tmp_path: Path) -> None:
    assert chosen(Shelf(tmp_path), asked=PREFERRED)[0] == PREFERRED
    with pytest.raises(ModelRefused, match="no network"):
        chosen(Shelf(tmp_path / "other", ModelRefused("no network")), WEIR_MODEL=PREFERRED)


def test_models_are_looked_for_where_the_worker_looks(tmp_path: Path) -> None:
    asked_for: list[Path] = []

    def open_models(folder: Path) -> AddedModels:
        asked_for.append(folder)
        return Shelf(tmp_path)

    demo_model(None, {"WEIR_MODELS_DIR": "/elsewhere"}, print, open_models=open_models)
    assert asked_for == [Path("/elsewhere")]
