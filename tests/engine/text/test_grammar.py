"""A text under a grammar follows it, and says what it was kept from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine import GenerateRequest, GrammarError, Grammars, Tokenizer
from engine.model.sampler import sample
from engine.schedule.generation import Generation


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(Path("engine/bundled"))


def generation(tokenizer: Tokenizer, grammar: str) -> Generation:
    constraint = Grammars(tokenizer).lark(grammar)
    return Generation(GenerateRequest(16, tokenizer.eos_ids, constraint))


def wishing(tokenizer: Tokenizer, *words: str) -> torch.Tensor:
    """Logits of a model that would say the first most, then the second."""
    logits = torch.zeros(1, tokenizer.vocab_size)
    for place, word in enumerate(words):
        logits[0, tokenizer.encode(word)[0]] = 10.0 - place
    return logits


def test_what_a_grammar_keeps_out_is_told_where_much_else_could_be_said(
    tokenizer: Tokenizer,
) -> None:
    free = generation(tokenizer, "start: /[a-z ]+/")
    wished = wishing(tokenizer, "7", "a")
    [token] = sample(wished, [free])
    assert tokenizer.decode([token]) == "a"
    assert free.request.constraint.refused_ids == tokenizer.encode("7")  # type: ignore[union-attr]


def test_where_only_the_form_goes_on_nothing_is_kept_out(tokenizer: Tokenizer) -> None:
    forced = generation(tokenizer, 'start: "{a}"')
    sample(wishing(tokenizer, "7"), [forced])
    assert forced.request.constraint.refused_ids == []  # type: ignore[union-attr]


def test_what_may_be_said_is_not_refused(tokenizer: Tokenizer) -> None:
    free = generation(tokenizer, "start: /[a-z0-9 ]+/")
    sample(wishing(tokenizer, "7"), [free])
    assert free.request.constraint.refused_ids == []  # type: ignore[union-attr]


def test_a_grammar_that_is_none_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(GrammarError):
        Grammars(tokenizer).lark("start: /[/")
