"""GGUF files as people have them: weights, a byte-level vocabulary, a chat template."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import gguf
from transformers import LlamaConfig

from engine.bench.peers.gguf_file import convert
from engine.model.source import BUNDLED
from tests.engine.families import SIZES, tiny_of


def exported(folder: Path) -> Path:
    """A tiny random Llama with as many tokens as the bundled tokenizer has."""
    tiny_of(LlamaConfig(**{**SIZES, "vocab_size": 4096})).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["rope_theta"] = config.get("rope_theta", 10000.0)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write(folder: Path, file: Path, type_name: str = "f32", *, chat_template: str) -> Path:
    """Of the Llama exported to `folder`, whose tokens are those of the bundled tokenizer."""
    convert(folder, file, type_name, partial(_add_vocabulary, chat_template=chat_template))
    return file


def _add_vocabulary(writer: Any, *, chat_template: str) -> None:
    stored = json.loads((BUNDLED / "tokenizer.json").read_text(encoding="utf-8"))
    ids = dict(stored["model"]["vocab"])
    controls = {token["content"]: token["id"] for token in stored["added_tokens"]}
    tokens = sorted(ids | controls, key=(ids | controls).__getitem__)
    kinds = [gguf.TokenType.CONTROL if t in controls else gguf.TokenType.NORMAL for t in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = stored["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(controls["<|sink|>"])
    writer.add_eos_token_id(controls["<|end|>"])
    writer.add_chat_template(chat_template)
