"""How a model comes in: weights in safetensors, from a folder or the hub, never code.

What goes wrong on the way is one line that says what to do (errors.ModelRefused).
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from engine.attention.adapters import ADAPTERS, set_attention
from engine.attention.hook import IMPLEMENTATION
from engine.config import EngineConfig
from engine.errors import ModelRefused
from engine.memory.formats import format_of
from engine.model.adapter import with_adapter
from engine.model.model import StreamingModel
from engine.model.refusals import (
    WHAT_WORKS,
    refuse_by_config,
    refuse_incomplete,
    refuse_missing,
    refusing,
)
from engine.model.source import source_of
from engine.weights.int8_linear import require_int8_products
from engine.weights.quantise import quantise

TORN = (SafetensorError, StrictDataclassError)


def load(config: EngineConfig) -> StreamingModel:
    """A model that streams, arranged for speed. Raises what `load_weights` does."""
    if config.compute_dtype is not None:
        require_int8_products(config.device)
    kept_as = format_of(config.kv_dtype or config.dtype)
    model = StreamingModel(load_weights(config), kept_as, config.compute_dtype)
    model.pack()
    if config.compiled_steps:
        model.compile_steps()
    return model


def load_weights(config: EngineConfig) -> PreTrainedModel:
    """Load weights in safetensors, never code. ModelRefused names what failed or cannot stream,
    ConfigError a device that is not there, or what int8 and int4 weights lack."""
    refuse_missing(config.device)
    if not sys.stderr.isatty():
        disable_progress_bar()  # type: ignore[no-untyped-call]
    source = source_of(config)
    hf_config = _fetch(AutoConfig.from_pretrained, source)
    with refusing(config.model):
        refuse_by_config(hf_config)
    is_adapted = hf_config.model_type in ADAPTERS
    hf: PreTrainedModel
    hf, report = _fetch(
        AutoModelForCausalLM.from_pretrained,
        source,
        config=hf_config,
        dtype=getattr(torch, config.dtype),
        attn_implementation="eager" if is_adapted else IMPLEMENTATION,
        use_safetensors=True,
        ignore_mismatched_sizes=True,  # said below, with a name
        output_loading_info=True,
    )
    refuse_incomplete(source, report)
    if config.adapter is not None:
        hf = with_adapter(hf, config.adapter)
    hf.to(config.device).eval()  # type: ignore[arg-type]
    set_attention(hf, IMPLEMENTATION)
    if config.weight_dtype is not None:
        with refusing(config.model):
            quantise(hf, config.weight_dtype)
    return hf


def _fetch(from_pretrained: Any, source: str, **options: Any) -> Any:
    """Turn the many ways in which loading fails into one line."""
    try:
        return from_pretrained(source, trust_remote_code=False, **options)
    except KeyError as error:
        if error.args != (IMPLEMENTATION,):
            raise ModelRefused(f"{source} could not be loaded: no {error} in it.") from error
        reason = "its attention does not go through the attention interface of transformers"
        raise ModelRefused(f"{source} cannot stream: {reason}. {WHAT_WORKS}") from error
    except (OSError, ValueError, ImportError, RuntimeError, *TORN) as error:
        line = " ".join(str(error).split())
        if line.startswith("We couldn't connect to"):  # what follows tells of a mode of theirs
            line = (
                "the model hub does not answer, and nothing of that name is kept here. Check the "
                "name and the connection, or name a directory."
            )
        raise ModelRefused(f"{source} could not be loaded: {line[:400]}") from error
