"""A tokenizer's chat template, rendered: whatever is wrong with it is one line."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from engine.errors import ModelRefused


class Template:
    """`source` is None where the tokenizer has no template."""

    def __init__(self, hf: PreTrainedTokenizerFast, name: str | None, *, thinks: bool) -> None:
        """name: of one of several templates; None for the only one, or "default".
        thinks: what templates with a switch of their own are told."""
        self._hf = hf
        self._thinks = thinks
        self.source = _source(hf.chat_template, name)

    def render(self, system: Sequence[str], texts: Sequence[str]) -> str:
        """Around these texts, of user and assistant in turn, up to where the next answer begins.
        ModelRefused: the template fails."""
        roles = ["user", "assistant"] * len(texts)
        messages = [{"role": "system", "content": text} for text in system]
        messages += [{"role": role, "content": t} for role, t in zip(roles, texts, strict=False)]
        try:
            return str(
                self._hf.apply_chat_template(
                    messages,
                    chat_template=self.source,
                    tokenize=False,
                    add_generation_prompt=True,
                    enable_thinking=self._thinks,
                )
            )
        except Exception as error:  # a template is a program, and fails in ways of its own
            line = " ".join(str(error).split()) or type(error).__name__
            raise ModelRefused(f"The chat template refuses such a chat ({line[:200]}).") from error


def _source(templates: str | dict[str, str] | None, name: str | None) -> str | None:
    named = templates if isinstance(templates, dict) else {}
    wanted = name or "default"
    if wanted in named:
        return named[wanted]
    if name is None and not isinstance(templates, dict):
        return templates
    there = ", ".join(sorted(named)) or "none has a name"
    raise ModelRefused(f"The model has no chat template called {wanted!r} (there are: {there}).")
