"""Every number of the recipe. What is not here is in the command line, and so in the card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    seed: int = 0
    rate: float = 2e-4
    quick_factor: float = 100.0
    """For the six numbers that say what a full stop means for the next word's case."""
    warmup_share: float = 0.03
    decay: float = 0.01
    gradient_clip: float = 1.0
    tokens_per_step: int = 1536
    question_weight: float = 1.5
    case_weight: float = 0.5
    min_window_words: int = 6
    max_window_words: int = 140
    short_share: float = 0.36
    """Windows of at most `short_words`: streams begin, and lines are restored by hand."""
    short_words: int = 32
    turn_end_share: float = 0.3
    """Windows that end where a turn does, if one does."""
    seen_turns_share: float = 0.5
    """Windows that show where turns end; in the others a change of speaker must be guessed."""
    question_again: float = 0.5
    """The chance that a window with a question is learnt twice in a pass."""
