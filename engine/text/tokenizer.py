"""Text to token ids and back, and the chat template around a user's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from engine.errors import ModelRefused
from engine.schedule.generation import Thought
from engine.text.plain import PlainText
from engine.text.template import Template
from engine.text.thinking import form_of

# Stand for the texts while the template is rendered around them.
PLACE = "WEIRPLACEOFTHEUSERSTEXT"
ANSWER_PLACE = "WEIRPLACEOFTHEANSWER"


@dataclass(frozen=True)
class ChatParts:
    """The chat template, cut where the user's text goes.

    prefix  begin of sequence and the header of the user's turn
    suffix  end of the user's turn and the header of the assistant's
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


class Tokenizer:
    """A fast tokenizer that never reads a control token out of somebody's text."""

    def __init__(
        self,
        hf: PreTrainedTokenizerFast,
        more_eos_ids: frozenset[int] = frozenset(),
        *,
        template: str | None = None,
        thought_tokens: int = 0,
    ) -> None:
        """more_eos_ids: chat models often end a turn with another token than a document.
        template: the name of one of several chat templates.
        thought_tokens: how long a model may think before it answers; 0: it is not to think."""
        self.hf = hf
        self.vocab_size: int = len(hf)
        self.template = Template(hf, template, thinks=thought_tokens > 0)
        self._plain = PlainText(hf)
        self._thought_tokens = thought_tokens
        self._thoughts = form_of(self.template.source or "", self.encode_template, self.control_ids)
        own = frozenset() if hf.eos_token_id is None else frozenset({hf.eos_token_id})
        self.eos_ids: frozenset[int] = own | more_eos_ids | self._end_of_turn()

    @classmethod
    def load(
        cls,
        source: str | Path,
        more_eos_ids: frozenset[int] = frozenset(),
        *,
        template: str | None = None,
        thought_tokens: int = 0,
    ) -> Tokenizer:
        try:
            hf = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError) as error:
            line = " ".join(str(error).split())
            raise ModelRefused(f"{source} has no usable tokenizer ({line[:300]}).") from error
        if not isinstance(hf, PreTrainedTokenizerFast):
            raise ModelRefused(f"{source} has no fast tokenizer (tokenizer.json).")
        return cls(hf, more_eos_ids, template=template, thought_tokens=thought_tokens)

    def encode(self, text: str) -> list[int]:
        """Plain text: "<|im_end|>" in it becomes the letters it is written with."""
        return self._plain.encode(text)

    @property
    def control_ids(self) -> frozenset[int]:
        """Added tokens, special or not: the template's and the model's own, never a text's."""
        return self._plain.control_ids

    def decode(self, ids: Sequence[int]) -> str:
        return str(
            self.hf.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    @property
    def thought(self) -> Thought | None:
        """For requests: how what the model thinks is kept out of its answer; None if it has no
        marks for thoughts."""
        if self._thoughts is None:
            return None
        return Thought(
            begins=self._thought_tokens > 0,
            opening=self.encode_template(self._thoughts.opening)[0],
            ending=tuple(self.encode_template(self._thoughts.ending)),
            max_tokens=self._thought_tokens,
        )

    def chat_parts(self) -> ChatParts:
        """Without a chat template: begin of sequence, if there is one, and a line break after."""
        if self.template.source is None:
            bos = self.hf.bos_token_id
            return ChatParts(() if bos is None else (bos,), tuple(self.encode("\n")))
        before, found, after = self.template.render([], [PLACE]).partition(PLACE)
        if not found:
            raise ModelRefused("The chat template drops or changes the user's text.")
        suffix = self.encode_template(self.with_thought(after))
        return ChatParts(tuple(self.encode_template(before)), tuple(suffix))

    def with_thought(self, header: str) -> str:
        """The header of an answer, and what makes the model think, or not think, after it."""
        if self._thoughts is None:
            return header
        return self._thoughts.after(header, wanted=self._thought_tokens > 0)

    def encode_template(self, text: str) -> list[int]:
        """Text of the template itself, whose control tokens are meant as such."""
        ids: list[int] = self.hf(text, add_special_tokens=False)["input_ids"]
        return ids

    def _end_of_turn(self) -> frozenset[int]:
        """The control token that the template puts after an answer, whatever is called EOS."""
        if self.template.source is None:
            return frozenset()
        try:
            rendered = self.template.render([], [PLACE, ANSWER_PLACE, PLACE])
        except ModelRefused:
            return frozenset()  # who needs more than one turn is told why
        _, _, after = rendered.partition(ANSWER_PLACE)
        following, _, _ = after.partition(PLACE)
        ids = self.encode_template(following)
        return frozenset(next(([id] for id in ids if id in self.control_ids), []))
