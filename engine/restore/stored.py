"""The encoder's folder: config.json, model.safetensors, tokenizer.json, and a card for people.

Matrices are kept in int8 with one scale a row, all else in float32: a quarter of the bytes, and no
decision that was not close changes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from engine.errors import ConfigError
from engine.restore.encoder import Encoder, Shape
from engine.restore.marks import CASES, MARKS

BUNDLED = Path(__file__).parent / "weights"
_SCALE = ".scale"


@dataclass(frozen=True)
class Habits:
    """What is known about an encoder besides its numbers.

    languages: the codes that it was trained for. mark_bias: added to the scores of the marks, in
    their order, so that as many are written as people write. -inf for a mark that it may not use.
    """

    languages: tuple[str, ...]
    mark_bias: tuple[float, ...]


def save(folder: Path, encoder: Encoder, tokenizer: Tokenizer, habits: Habits) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, Tensor] = {}
    for name, values in encoder.state_dict().items():
        if values.dim() == 2 and name.endswith("weight"):
            scale = values.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
            numbers[name] = (values / scale).round().to(torch.int8)
            numbers[name + _SCALE] = scale
        else:
            numbers[name] = values.contiguous()
    save_file(numbers, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {"marks": MARKS, "cases": CASES, "shape": asdict(encoder.shape), **asdict(habits)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


@cache
def load(folder: Path, dtype: torch.dtype) -> tuple[Encoder, Tokenizer, Habits]:
    """Read once a process, and never changed. Raises ConfigError, which says what is wrong."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if (tuple(config["marks"]), tuple(config["cases"])) != (MARKS, CASES):
            raise ConfigError(
                f"{folder} knows other marks: make it anew with python -m ops.restore"
            )
        encoder = Encoder(Shape(**config["shape"]))
        encoder.load_state_dict(_numbers(load_file(folder / "model.safetensors")))
        habits = Habits(tuple(config["languages"]), tuple(map(float, config["mark_bias"])))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ConfigError(
            f"{folder} holds no encoder for capitals and marks ({error}); give a folder that"
            " python -m ops.restore has made"
        ) from error
    return encoder.to(dtype).eval().requires_grad_(False), tokenizer, habits


def _numbers(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: values.float() * stored[name + _SCALE] if name + _SCALE in stored else values
        for name, values in stored.items()
        if not name.endswith(_SCALE)
    }


def best_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it itself: twice as fast, the same marks."""
    has_it = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if has_it() else torch.float32
