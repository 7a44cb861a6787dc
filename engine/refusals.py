"""Which models cannot stream, as far as their configuration tells, and how they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.errors import ModelRefused, NotStreamable

WHAT_WORKS = (
    "Decoder-only models with rotary positions or ALiBi work: Llama, Mistral, Qwen2, Qwen3, Gemma, "
    "Phi, GPT-NeoX (Pythia), GPT-J, OLMo, StableLM, SmolLM3, Granite, Cohere, StarCoder2, GLM, "
    "gpt-oss, Falcon, MPT, BLOOM."
)
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
    ropes = getattr(text, "rope_parameters", None) or {}
    nested = [rope for rope in ropes.values() if isinstance(rope, dict)] or [ropes]
    for rope in nested:
        if rope.get("rope_type") in LENGTH_DEPENDENT_ROPE:
            raise NotStreamable(f"its {rope['rope_type']} rope changes with the length of the text")
