"""Where a model lies: with us, in a folder, in a GGUF file, under a name that was added, at a hub.

What is no model that can be loaded is said before anything is tried: transformers would say it
after minutes, or of something else.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants, try_to_load_from_cache

from engine.config import EngineConfig
from engine.errors import ModelRefused
from engine.model.added import AddedModels
from engine.model.gguf import configured, converted

BUNDLED = Path(__file__).parents[1] / "bundled"
CONNECTING_SECONDS = 3.0
# Weights that are stored so that a library of their own must read them.
IN_PLAIN_FORMATS = "name the model's unquantised weights; WEIR_WEIGHT_DTYPE makes int8 or int4"


def source_of(config: EngineConfig) -> str:
    """A folder that transformers can read, or a hub id. ModelRefused: it is none, and why."""
    place = _place_of(config)
    if isinstance(place, Path) and place.is_file():
        return str(converted(place, config.models_dir, config.dtype))
    return str(place)


def described_at(config: EngineConfig) -> tuple[str, dict[str, str]]:
    """Where transformers finds the model's configuration, and with what options: as `source_of`,
    but no GGUF file is converted for it."""
    place = _place_of(config)
    if isinstance(place, Path) and place.is_file():
        return configured(place, config.models_dir)
    return str(place), {}


def _place_of(config: EngineConfig) -> Path | str:
    """A folder, a GGUF file or a hub id."""
    if config.model == "bundled":
        return BUNDLED
    added = AddedModels(config.models_dir).folder_of(config.model)
    path = added or Path(config.model).expanduser()
    if path.suffix == ".gguf" or path.is_dir():
        return _in_folder(path, config)
    if path.is_file():
        raise ModelRefused(f"{path} is a file: name the folder that it lies in, or a GGUF file.")
    if config.model.startswith(("/", ".", "~")) or config.model.count("/") > 1:
        raise ModelRefused(f"{config.model} could not be loaded: there is no such directory.")
    _require_hub(config.model)
    return config.model


def _in_folder(path: Path, config: EngineConfig) -> Path:
    if not path.exists():
        raise ModelRefused(f"{config.model} could not be loaded: there is no such file.")
    if path.is_file():
        return path
    files = sorted(path.glob("*.gguf"))
    if (path / "config.json").exists():
        _refuse_by_files(path)
        return path
    if len(files) == 1:
        return files[0]
    if files:
        names = ", ".join(file.name for file in files)
        raise ModelRefused(f"{path} has several GGUF files; name one of them: {names}.")
    if (path / "adapter_config.json").exists():
        base = _read(path / "adapter_config.json").get("base_model_name_or_path", "its base model")
        raise ModelRefused(
            f"{path} is a LoRA adapter: name {base} as the model, and this as WEIR_ADAPTER."
        )
    raise ModelRefused(
        f"{path} could not be loaded: it has no config.json, so it is no model's folder."
    )


def _refuse_by_files(path: Path) -> None:
    method = _read(path / "config.json").get("quantization_config", {}).get("quant_method")
    if method:
        raise ModelRefused(f"{path} has weights in {method}: {IN_PLAIN_FORMATS}.")
    if not list(path.glob("*.safetensors*")) and list(path.glob("*.bin")):
        raise ModelRefused(
            f"{path} has weights as pickles (.bin), which can run code and are never read: name "
            "the model's safetensors, or convert them."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelRefused(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    return found if isinstance(found, dict) else {}


def _require_hub(name: str) -> None:
    """The hub's own library tries for more than a minute before it says that nobody answers."""
    is_kept = isinstance(try_to_load_from_cache(name, "config.json"), str)
    is_offline = constants.HF_HUB_OFFLINE or os.environ.get("TRANSFORMERS_OFFLINE")
    address = urlsplit(constants.ENDPOINT)
    if is_kept or address.scheme in getproxies():
        return
    try:
        if is_offline:
            raise OSError("offline")
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), CONNECTING_SECONDS).close()
    except OSError as error:
        raise ModelRefused(
            f"{name} could not be loaded: the model hub does not answer, and nothing of that name "
            "is kept here. Check the name and the connection, or name a directory."
        ) from error
