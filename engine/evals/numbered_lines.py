"""A record of numbered lines that never ends, and questions about its lines.

The format is that of StreamEval in StreamingLLM (Xiao et al., 2309.17453, section 4.4), made anew:
each line has a content of five digits, and a question begins a line again, for the model to end it.
No torch here, and no state: what a line says follows from the seed and its number.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

PREAMBLE = "Below is a record of lines I want you to remember.\n"
NUM_DIGITS = 5


@dataclass(frozen=True)
class Record:
    """Lines 0, 1, 2, ... The same seed says the same, however long the record gets."""

    seed: int = 0

    def content(self, number: int) -> str:
        """Five digits, any of them."""
        drawn = random.Random(f"{self.seed} {number}").randrange(10**NUM_DIGITS)  # noqa: S311
        return f"{drawn:0{NUM_DIGITS}}"

    def line(self, number: int) -> str:
        return f"{_beginning(number)}{self.answer(number)}\n"

    def question(self, number: int) -> str:
        """Ends where the answer begins."""
        return f"Query: {_beginning(number)}"

    def answer(self, number: int) -> str:
        return f" <{self.content(number)}>"


def _beginning(number: int) -> str:
    return f"The REGISTER_CONTENT in line {number} is"
