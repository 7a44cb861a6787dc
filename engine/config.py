"""The engine's settings: frozen, made once, checked when made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.schedule.window import HALF, Window

DTYPES = ("float32", "bfloat16", "float16")
KV_DTYPES = (*DTYPES, "int8")
WEIGHT_DTYPES = ("int8", "int4")
COMPUTE_DTYPES = ("int8",)
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
INT4_GROUP = 32  # inputs of a linear layer that share a scale in int4
MODELS_DIR = Path("~/.cache/weir/models")
MAX_THREADS = 1024  # with more than the system gives, torch crashes
OWN_DTYPES = {
    "kv_dtype": KV_DTYPES,
    "weight_dtype": WEIGHT_DTYPES,
    "compute_dtype": COMPUTE_DTYPES,
}


@dataclass(frozen=True)
class EngineConfig:
    """What to load and how much memory to give it, for good.

    model            "bundled", a folder, a GGUF file, a name that was added, or a hub id
    num_sinks        first tokens of a stream that stay visible for ever
    num_recent       last tokens that are visible, the newest included
    num_discard      recent tokens that leave together when a new one finds no room; -1 = half
    num_rows         sessions in one step
    num_sessions     sessions alive at once, forks included; those that are idle are parked.
                     None: as many as there are rows
    chat_template    name of one of the model's chat templates; None: its only one, or "default"
    thought_tokens   how long a thinking model may think before an answer; 0: it is not to
    adapter          folder of a LoRA adapter that is merged into the weights; None: none
    compiled_steps   whether few single tokens are computed in compiled code, where that can be
    models_dir       folder of models that were added by name, and of what GGUF files became
    park_dir         folder for parked sessions that host memory has no room for; None: it has
    park_host_bytes  host memory for parked sessions; those beyond it go to `park_dir`
    max_chunk        tokens of one session in one step
    max_step_tokens  tokens of all sessions in one step
    dtype            number format of arithmetic, and of what has none of its own
    kv_dtype         of keys and values in the rows
    weight_dtype     of the weights of linear layers, embeddings and output layer excepted
    compute_dtype    "int8": what is multiplied with int8 weights is rounded to 8 bits too
    """

    model: str
    num_sinks: int = 4
    num_recent: int = 1020
    num_discard: int = 1
    num_rows: int = 48
    max_chunk: int = 256
    max_step_tokens: int = 1024
    dtype: str = "float32"
    kv_dtype: str | None = None
    weight_dtype: str | None = None
    compute_dtype: str | None = None
    device: str = "cpu"
    num_threads: int | None = None
    num_sessions: int | None = None
    chat_template: str | None = None
    thought_tokens: int = 0
    adapter: Path | None = None
    compiled_steps: bool = True
    models_dir: Path = MODELS_DIR
    park_dir: Path | None = None
    park_host_bytes: int = 2**30

    def __post_init__(self) -> None:
        self._convert()
        is_named = isinstance(self.model, str) and self.model != ""
        self._require(is_named, "model", '"bundled", a folder, a GGUF file or a hub id')
        self._require(self.num_sinks >= 0, "num_sinks", "0 or more")
        for name in ("num_recent", "num_rows", "max_chunk"):
            self._require(getattr(self, name) >= 1, name, "1 or more")
        self._require(
            self.num_discard == HALF or 1 <= self.num_discard <= self.num_recent,
            "num_discard",
            f"1 to num_recent ({self.num_recent}), or -1 for half of it",
        )
        # One token for every session fits in a step, so that nobody starves.
        self._require(
            self.max_step_tokens >= self.num_rows,
            "max_step_tokens",
            f"num_rows ({self.num_rows}) or more",
        )
        self._require(
            self.num_sessions is None or self.num_sessions >= self.num_rows,
            "num_sessions",
            f"num_rows ({self.num_rows}) or more, or None",
        )
        self._require(self.thought_tokens >= 0, "thought_tokens", "0 or more")
        self._require(self.park_host_bytes >= 0, "park_host_bytes", "0 or more")
        self._require(self.dtype in DTYPES, "dtype", " or ".join(DTYPES))
        for name, valid in OWN_DTYPES.items():
            value = getattr(self, name)
            self._require(value is None or value in valid, name, " or ".join(valid) + ", or None")
        self._require(
            self.compute_dtype is None or self.weight_dtype == "int8",
            "compute_dtype",
            f"it with weight_dtype='int8' and not {self.weight_dtype!r}",
        )
        self._require(_is_device(self.device), "device", '"cpu", "cuda" or "cuda:N"')
        self._require(
            self.num_threads is None or 1 <= self.num_threads <= MAX_THREADS,
            "num_threads",
            f"1 to {MAX_THREADS}, or None",
        )

    @classmethod
    def of_context(
        cls, model: str, *, ctx_size: int, n_keep: int = 4, n_discard: int = 1, **others: Any
    ) -> EngineConfig:
        """The window in the words of llama.cpp and of Intel's extension for transformers.

        Both discard half (`n_discard=-1`) unless told otherwise; the engine, one token at a time.
        """
        ctx_size, n_keep = _whole("ctx_size", ctx_size), _whole("n_keep", n_keep)
        if ctx_size <= n_keep:
            raise ConfigError(f"ctx_size={ctx_size} is not valid: use more than n_keep ({n_keep}).")
        num_discard = _whole("n_discard", n_discard)
        return cls(model, n_keep, ctx_size - n_keep, num_discard=num_discard, **others)

    @property
    def window(self) -> Window:
        is_half = self.num_discard == HALF
        num_discard = max(1, self.num_recent // 2) if is_half else self.num_discard
        return Window(self.num_sinks, self.num_recent, num_discard)

    @property
    def max_sessions(self) -> int:
        return self.num_sessions or self.num_rows

    def _convert(self) -> None:
        """NumPy's integers become ints; `model` may come as a Path, a folder as a str."""
        if isinstance(self.model, Path):
            object.__setattr__(self, "model", str(self.model))
        for name in ("adapter", "models_dir", "park_dir"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, Path(getattr(self, name)))
        for field in fields(self):
            value = getattr(self, field.name)
            is_unset = value is None and field.default is None
            if str(field.type).startswith("int") and not is_unset:
                object.__setattr__(self, field.name, _whole(field.name, value))

    def _require(self, holds: bool, name: str, valid: str) -> None:
        if not holds:
            raise ConfigError(f"{name}={getattr(self, name)!r} is not valid: use {valid}.")


def _whole(name: str, value: object) -> int:
    """Floats are refused, whole or not: they would do until a tensor is cut by one."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise ConfigError(f"{name}={value!r} is not valid: use a whole number.")


def _is_device(device: str) -> bool:
    kind, _, index = device.partition(":")
    if kind == "cuda":
        return device == "cuda" or index.isdecimal()
    return device == "cpu"
