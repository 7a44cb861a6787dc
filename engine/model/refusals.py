"""What is refused before a model runs, and how.

Models that cannot stream, as far as their configuration tells; weights that are not whole; devices
that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from engine.errors import ConfigError, ModelRefused, NotStreamable

WHAT_WORKS = (
    "Decoder-only models with rotary positions or ALiBi work: Llama, Mistral, Qwen2, Qwen3, Gemma, "
    "Phi, GPT-NeoX (Pythia), GPT-J, OLMo, StableLM, SmolLM3, Granite, Cohere, StarCoder2, GLM, "
    "gpt-oss, Falcon, MPT, BLOOM."
)
# Others agree with a window for as long as the check at load reads, and not after: attention in
# chunks (Llama 4) forgets all at once, and what recurs has no keys.
KNOWN_LAYERS = frozenset({"full_attention", "sliding_attention"})
# Rotation that changes with the length of the text, so that stored keys would become wrong.
LENGTH_DEPENDENT_ROPE = ("dynamic", "longrope")


@contextmanager
def refusing(name: str) -> Iterator[None]:
    try:
        yield
    except NotStreamable as reason:
        raise ModelRefused(f"{name} cannot stream: {reason}. {WHAT_WORKS}") from reason


def refuse_by_config(config: Any) -> None:
    """What the configuration alone rules out, with the reason a user understands."""
    text = config.get_text_config()
    if config.is_encoder_decoder:
        raise NotStreamable("it is an encoder-decoder")
    if getattr(text, "kv_lora_rank", None) is not None:
        raise NotStreamable("it uses multi-head latent attention")
    others = sorted({*(getattr(text, "layer_types", None) or ())} - KNOWN_LAYERS)
    if others:
        raise NotStreamable(f"some of its layers are {others[0].replace('_', ' ')}")
    ropes = getattr(text, "rope_parameters", None) or {}
    nested = [rope for rope in ropes.values() if isinstance(rope, dict)] or [ropes]
    for rope in nested:
        if rope.get("rope_type") in LENGTH_DEPENDENT_ROPE:
            raise NotStreamable(f"its {rope['rope_type']} rope changes with the length of the text")


def refuse_incomplete(source: str, report: dict[str, Any]) -> None:
    """transformers would go on with random numbers in place of such weights."""
    wrong = sorted([*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])])
    if wrong:
        raise ModelRefused(
            f"{source} could not be loaded: {len(wrong)} of its weights are missing or of another "
            f"shape than its config.json says, the first of them {wrong[0]}."
        )


def refuse_missing(device: str) -> None:
    if device == "cpu":
        return
    num_devices = torch.cuda.device_count()
    if int(device.partition(":")[2] or 0) >= num_devices:
        raise ConfigError(
            f"device={device!r} is not there: PyTorch sees {num_devices} CUDA devices. Use "
            f"{'cuda:0' if num_devices else 'cpu'}."
        )
