"""Every number of the recipe in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """The shape of the model, of its batches, and of its learning rate.

    A step reads `short_rows` rows of `short_length` tokens and `long_rows` of `long_length`.
    Mixtures are shares of rows: of the steady phase and of the decay phase.
    """

    vocab_size: int = 4096
    hidden_size: int = 256
    intermediate_size: int = 704
    num_layers: int = 5
    head_dim: int = 64
    num_heads: int = 4
    num_kv_heads: int = 2
    rope_theta: float = 10_000.0

    short_length: int = 256
    short_rows: int = 32
    long_length: int = 1024
    long_rows: int = 4
    num_restore_samples: int = 160_000

    muon_learning_rate: float = 0.02
    adam_learning_rate: float = 3e-3
    weight_decay: float = 0.05
    warm_up_steps: int = 60
    decay_share: float = 0.25
    gradient_clip: float = 1.0
    seed: int = 0

    short_mixture: dict[str, float] = field(
        default_factory=lambda: {"restore": 0.42, "summary": 0.08, "talk": 0.27, "prose": 0.23}
    )
    long_mixture: dict[str, float] = field(
        default_factory=lambda: {"summary": 0.30, "talk": 0.38, "prose": 0.32}
    )
    short_mixture_in_decay: dict[str, float] = field(
        default_factory=lambda: {"restore": 0.50, "summary": 0.10, "talk": 0.24, "prose": 0.16}
    )
    long_mixture_in_decay: dict[str, float] = field(
        default_factory=lambda: {"summary": 0.40, "talk": 0.38, "prose": 0.22}
    )
