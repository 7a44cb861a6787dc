"""Greedy restoring under the runtime's rule: no word is lost, added or changed.

Each word may come back lower, Capitalised or UPPER, with one of MARKS after it or none. This is
the measuring twin of the runtime's grammar: a word's forms are spelt as the tokenizer spells them.
"""

from __future__ import annotations

import torch
from transformers import Cache, LlamaForCausalLM, PreTrainedTokenizerFast

from ops.pretrain.prepare import encode_all
from ops.pretrain.restore import MARKS, RestoreSample
from ops.pretrain.tokenizer import ASSISTANT_ID, END_ID, SINK_ID, USER_ID

Spelling = tuple[int, ...]


class Restorer:
    """Feeds one question, then chooses among the allowed tokens one at a time."""

    def __init__(self, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._marks = [ids[0] for ids in encode_all(list(MARKS), tokenizer)]

    @torch.inference_mode()
    def restore(self, sample: RestoreSample) -> str:
        """The words of `sample.raw` with the capitals and marks that the model prefers."""
        question = encode_all([sample.question], self._tokenizer)[0]
        reader = _Reader(self._model, [SINK_ID, USER_ID, *question, END_ID, ASSISTANT_ID])
        words = [self._forms(word, i > 0) for i, word in enumerate(sample.raw.split())]
        after: list[list[Spelling]] = [*words[1:], [(END_ID,)]]
        for forms, following in zip(words, after, strict=True):
            self._spell(reader, forms)
            next_tokens = {form[0] for form in following}
            if reader.best(next_tokens | set(self._marks)) in self._marks:
                reader.take(reader.best(set(self._marks)))
        return str(self._tokenizer.decode(reader.taken))

    def _forms(self, word: str, after_space: bool) -> list[Spelling]:
        forms = {word, word[0].upper() + word[1:], word.upper()}
        space = " " if after_space else ""
        spelt = encode_all([space + form for form in sorted(forms)], self._tokenizer)
        return [tuple(ids) for ids in spelt]

    def _spell(self, reader: _Reader, forms: list[Spelling]) -> None:
        """Take tokens until one whole form stands."""
        spelt: Spelling = ()
        while spelt not in forms:
            n = len(spelt)
            token = reader.best({form[n] for form in forms if form[:n] == spelt})
            reader.take(token)
            spelt = (*spelt, token)


class _Reader:
    """The model, its cache and its next-token logits."""

    def __init__(self, model: LlamaForCausalLM, prompt: list[int]) -> None:
        self._model = model
        self._cache: Cache | None = None
        self.taken: list[int] = []
        self._feed(prompt)

    def best(self, allowed: set[int]) -> int:
        """The likeliest of the allowed tokens."""
        choice = sorted(allowed)
        return choice[int(self._logits[choice].argmax())]

    def take(self, token: int) -> None:
        self.taken.append(token)
        self._feed([token])

    def _feed(self, tokens: list[int]) -> None:
        out = self._model(torch.tensor([tokens]), past_key_values=self._cache, use_cache=True)
        self._cache, self._logits = out.past_key_values, out.logits[0, -1].float()
