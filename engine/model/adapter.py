"""LoRA adapters: merged into the weights once, at load, so that they cost nothing afterwards."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PreTrainedModel

from engine.errors import ConfigError, ModelRefused

WEIGHTS = "adapter_model.safetensors"


def with_adapter(hf: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """`hf` with the adapter in `folder` merged into it, in place where that can be.

    ConfigError: peft is not installed. ModelRefused: there is none, or it is another model's.
    """
    folder = folder.expanduser()
    if not (folder / "adapter_config.json").is_file():
        raise ModelRefused(f"{folder} is no adapter: it has no adapter_config.json.")
    if not (folder / WEIGHTS).is_file():
        raise ModelRefused(
            f"{folder} has no {WEIGHTS}: pickles (.bin) can run code and are never read; save it "
            "as safetensors."
        )
    peft = _peft()
    try:
        with warnings.catch_warnings():  # of its own ways with transformers
            warnings.simplefilter("ignore")
            adapted = peft.PeftModel.from_pretrained(hf, str(folder))
            merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as error:
        line = " ".join(str(error).split())
        raise ModelRefused(
            f"{folder} cannot be merged into {hf.name_or_path}: {line[:200]}. Name the model that "
            "it was made for."
        ) from error
    return merged


def _peft() -> Any:
    try:
        return import_module("peft")
    except ImportError as error:
        raise ConfigError(
            "adapter=... needs peft: pip install 'weir[adapters]', or leave it out."
        ) from error
