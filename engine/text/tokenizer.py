"""Text to token ids and back, and the chat template around a user's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from engine.errors import ModelRefused
from engine.text.plain import PlainText

# Stands for the user's text while the template is rendered around it.
PLACE = "WEIRPLACEOFTHEUSERSTEXT"


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
        self, hf: PreTrainedTokenizerFast, more_eos_ids: frozenset[int] = frozenset()
    ) -> None:
        """`more_eos_ids`: chat models often end a turn with another token than a document."""
        self.hf = hf
        self.vocab_size: int = len(hf)
        self._plain = PlainText(hf)
        own = frozenset() if hf.eos_token_id is None else frozenset({hf.eos_token_id})
        self.eos_ids: frozenset[int] = own | more_eos_ids

    @classmethod
    def load(cls, source: str | Path, more_eos_ids: frozenset[int] = frozenset()) -> Tokenizer:
        try:
            hf = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError) as error:
            line = " ".join(str(error).split())
            raise ModelRefused(f"{source} has no usable tokenizer ({line[:300]}).") from error
        if not isinstance(hf, PreTrainedTokenizerFast):
            raise ModelRefused(f"{source} has no fast tokenizer (tokenizer.json).")
        return cls(hf, more_eos_ids)

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

    def chat_parts(self) -> ChatParts:
        """Without a chat template: begin of sequence, if there is one, and a line break after."""
        if self.hf.chat_template is None:
            bos = self.hf.bos_token_id
            return ChatParts(() if bos is None else (bos,), tuple(self.encode("\n")))
        turn = [{"role": "user", "content": PLACE}]
        rendered = str(
            self.hf.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        )
        before, found, after = rendered.partition(PLACE)
        if not found:
            raise ModelRefused("The chat template drops or changes the user's text.")
        return ChatParts(self._encode_template(before), self._encode_template(after))

    def _encode_template(self, text: str) -> tuple[int, ...]:
        """Text of the template itself, whose special tokens are meant as such."""
        return tuple(self.hf(text, add_special_tokens=False)["input_ids"])
