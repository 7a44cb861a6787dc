"""Weights and tokenizer -> a folder that AutoModelForCausalLM and AutoTokenizer load."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ops.pretrain.tokenizer import END_ID, PAD_ID, SINK_ID


def export(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """bf16 safetensors, configuration, tokenizer with its chat template inside."""
    folder.mkdir(parents=True, exist_ok=True)
    half = copy.deepcopy(model)
    half.to(device="cpu", dtype=torch.bfloat16)  # type: ignore[call-arg]
    half.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=SINK_ID, eos_token_id=END_ID, pad_token_id=PAD_ID, do_sample=False
    )
    half.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
