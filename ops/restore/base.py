"""A pretrained encoder's folder -> our network with new heads.

Any folder with BERT's names and shapes will do (`config.json`, `model.safetensors`,
`tokenizer.json`): MiniLM, BERT, and their multilingual sisters.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.restore.encoder import Encoder, Shape
from engine.restore.marks import CASES, MARKS

_NORMS_AND_LINEARS = {
    "out": "attention.output.dense",
    "norm_attention": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm_mlp": "output.LayerNorm",
}


def shape_of(folder: Path) -> Shape:
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "bert":
        raise ValueError(
            f"{folder} is a {config.get('model_type')!r}; give an encoder of type bert"
        )
    known = {name: config[name] for name in Shape.__dataclass_fields__ if name in config}
    return Shape(**known, num_marks=len(MARKS), num_cases=len(CASES))


def encoder_from(folder: Path, dropout: float = 0.0) -> Encoder:
    encoder = Encoder(shape_of(folder), dropout)
    theirs = {
        k.removeprefix("bert."): v for k, v in load_file(folder / "model.safetensors").items()
    }
    encoder.load_state_dict({**encoder.state_dict(), **_body(theirs, encoder)})
    torch.nn.init.normal_(encoder.mark.weight, std=0.02)
    torch.nn.init.normal_(encoder.case.weight, std=0.02)
    return encoder


def _body(theirs: dict[str, Tensor], encoder: Encoder) -> dict[str, Tensor]:
    token_type = theirs["embeddings.token_type_embeddings.weight"][0]
    ours = {
        "tokens.weight": theirs["embeddings.word_embeddings.weight"] + token_type,
        "positions.weight": theirs["embeddings.position_embeddings.weight"],
    }
    for part in ("weight", "bias"):
        ours[f"norm.{part}"] = theirs[f"embeddings.LayerNorm.{part}"]
        for i in range(len(encoder.layers)):
            layer = f"encoder.layer.{i}"
            qkv = [theirs[f"{layer}.attention.self.{x}.{part}"] for x in ("query", "key", "value")]
            ours[f"layers.{i}.qkv.{part}"] = torch.cat(qkv)
            for name, their_name in _NORMS_AND_LINEARS.items():
                ours[f"layers.{i}.{name}.{part}"] = theirs[f"{layer}.{their_name}.{part}"]
    return ours
