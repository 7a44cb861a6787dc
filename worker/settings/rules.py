"""What values a setting may have, beyond its type. Each rule's message says what would be valid."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

ENV_PREFIX = "WEIR_"
DEFAULT_SINKS = 4
MIN_RECENT = 16
RESTORING = ("auto", "encoder", "off")
# llama.cpp and Intel's extension for transformers say how long the window is, not what rolls in it.
THEIR_NAMES = {"n_keep": "num_sinks", "n_discard": "num_discard", "ctx_size": "num_recent"}


def password_file(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError("must be a UTF-8 text") from None
    return path


def restore(how: str) -> str:
    if how not in RESTORING and not (Path(how) / "config.json").is_file():
        raise ValueError(
            "must be auto, off, or a folder with an encoder that python -m ops.restore has made"
        )
    return how


def step_tokens(tokens: int | None, info: ValidationInfo) -> int | None:
    num_rows = info.data.get("num_rows") or 0
    if tokens is not None and tokens < num_rows:
        raise ValueError(
            f"must be at least WEIR_NUM_ROWS ({num_rows}), so that no session waits for a step"
        )
    return tokens


def compute_dtype(dtype: str | None, info: ValidationInfo) -> str | None:
    if dtype is not None and info.data.get("weight_dtype") != "int8":
        raise ValueError("needs WEIR_WEIGHT_DTYPE=int8: what it speeds up is products with those")
    return dtype


def in_our_words(given: dict[str, Any]) -> dict[str, Any]:
    """A window that is given in the words of llama.cpp, in ours."""
    said = {name: value for name, value in given.items() if value is not None}
    for theirs, ours in THEIR_NAMES.items():
        if theirs in said and ours in said:
            names = [ENV_PREFIX + name.upper() for name in (theirs, ours)]
            raise ValueError(f"{' and '.join(names)} say the same: leave one of them out")
    own = {ours: said[theirs] for theirs, ours in THEIR_NAMES.items() if theirs in said}
    if "ctx_size" in said:
        num_sinks = own.get("num_sinks", said.get("num_sinks", DEFAULT_SINKS))
        own["num_recent"] = _num_recent(said["ctx_size"], num_sinks)
    return said | own


def _num_recent(ctx_size: Any, num_sinks: Any) -> int:
    try:
        sinks, size = int(num_sinks), int(ctx_size)
    except ValueError:
        return MIN_RECENT  # the fields themselves say that they are no numbers
    if size < sinks + MIN_RECENT:
        raise ValueError(
            f"WEIR_CTX_SIZE={size}: must be at least {sinks + MIN_RECENT}, for {sinks} sinks and "
            f"{MIN_RECENT} recent tokens"
        )
    return size - sinks


def num_discard(num_discard: int | None, info: ValidationInfo) -> int | None:
    num_recent = info.data.get("num_recent", math.inf)
    if num_discard is not None and num_discard != -1 and not 1 <= num_discard <= num_recent:
        raise ValueError(f"must be 1 to WEIR_NUM_RECENT ({num_recent}), or -1 for half of it")
    return num_discard


def block_seconds(seconds: float, info: ValidationInfo) -> float:
    lease_seconds = info.data.get("lease_seconds", math.inf)
    if seconds > lease_seconds / 3:
        raise ValueError(
            f"must be at most a third of WEIR_LEASE_SECONDS ({lease_seconds:g}), or streams are "
            "lost while their owner waits"
        )
    return seconds


def device(device: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError("must be cpu, cuda or cuda:N")
    return device


def patterns(pattern: str) -> str:
    if not all(part.strip() for part in pattern.split(",")):
        raise ValueError("must be key patterns with commas between them, as in live:*,talk:*")
    return pattern


def questions(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except json.JSONDecodeError:
        raise ValueError('must be a JSON object, as in {"todo": "Action items so far?"}') from None


def question_names(prompts: dict[str, str]) -> dict[str, str]:
    for name, question in prompts.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ValueError(f"the name {name!r} must be letters, digits, - and _ (at most 64)")
        if not question.strip():
            raise ValueError(f"{name!r} must have a question")
        if not is_utf8(question):
            raise ValueError(f"{name!r} must have a question in UTF-8")
    return prompts


def is_utf8(text: str) -> bool:
    """Whether it has no half characters, as JSON and arguments of other encodings may bring."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
