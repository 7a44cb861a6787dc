"""How models think aloud before they answer, so that it can be asked for, ended and left out.

A thought stands between two marks that are tokens of their own. Models whose marks are ordinary
text (Nemotron's first) are not known here: they are asked by their system text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ThoughtForm:
    """opening THOUGHT ending ANSWER.

    mark  what a template that knows thoughts has in its source
    """

    mark: str
    opening: str
    ending: str

    def after(self, header: str, *, wanted: bool) -> str:
        """What stands before an answer (before its thought, if that is wanted), after the header
        that the template gave it."""
        if self.ending.strip() in header:
            return header  # the template's own switch has put an empty thought in place
        is_open = header.rstrip().endswith(self.opening.rstrip())
        opened = header if is_open else header + self.opening
        return opened if wanted else opened + self.ending


# From the templates of Qwen3, DeepSeek-R1, QwQ and SmolLM3; gpt-oss (harmony); Magistral; Command A
# Reasoning; Seed-OSS.
FORMS = (
    ThoughtForm("</think>", "<think>\n", "</think>\n\n"),
    ThoughtForm(
        "<|channel|>final",
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    ThoughtForm("[/THINK]", "[THINK]", "[/THINK]"),
    ThoughtForm("<|END_THINKING|>", "<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    ThoughtForm("</seed:think>", "<seed:think>", "</seed:think>"),
)


def form_of(
    template: str, encode: Callable[[str], list[int]], controls: frozenset[int]
) -> ThoughtForm | None:
    """The form that `template` (its source) knows, if both marks begin with a control token."""
    for form in FORMS:
        marks = (encode(form.opening), encode(form.ending))
        if form.mark in template and all(ids and ids[0] in controls for ids in marks):
            return form
    return None
