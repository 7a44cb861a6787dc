"""The folder of what tells sentences: config.json, model.safetensors, and a card for people.

Word pieces are those of the encoder that restores capitals and marks: its tokenizer is this one's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from engine.errors import ConfigError
from engine.restore.stored import BUNDLED as RESTORER
from engine.sentences.words import FORMS, WordWorth

BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Stored:
    tokenizer: Tokenizer
    worth: WordWorth


def save(folder: Path, worth: WordWorth) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {"pieces": worth.of_pieces.astype(np.float16), "forms": worth.of_forms}
    save_file(numbers, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    config = {"forms": FORMS, "base": worth.base, "tokenizer": _digest()}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


@cache
def load(folder: Path) -> Stored:
    """Read once a process, and never changed. Raises ConfigError, which says what is wrong."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if (tuple(config["forms"]), config["tokenizer"]) != (FORMS, _digest()):
            raise ConfigError(
                f"{folder} was made for other word pieces: make it anew with python -m ops.salience"
            )
        numbers = load_file(folder / "model.safetensors")
        of_pieces = numbers["pieces"].astype(np.float32)
        worth = WordWorth(of_pieces, numbers["forms"], float(config["base"]))
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ConfigError(
            f"{folder} does not say what words are worth ({error}); give a folder that"
            " python -m ops.salience has made"
        ) from error
    return Stored(tokenizer(), worth)


@cache
def tokenizer() -> Tokenizer:
    """Whole sentences, as they are."""
    found = Tokenizer.from_file(str(RESTORER / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


def _digest() -> str:
    return hashlib.sha256((RESTORER / "tokenizer.json").read_bytes()).hexdigest()
