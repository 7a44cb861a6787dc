"""A punctuator in miniature: real tokens and real shapes, numbers by chance."""

from __future__ import annotations

from functools import cache

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from engine.restore.encoder import Encoder, Shape
from engine.restore.marks import CASES, MARKS
from engine.restore.passage import MAX_TOKENS, Reader
from engine.restore.punctuator import Punctuator
from engine.restore.stored import Habits

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.$'"


def small_tokenizer() -> Tokenizer:
    pieces = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")  # noqa: S106
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def small_encoder() -> Encoder:
    torch.manual_seed(1)
    shape = Shape(
        vocab_size=small_tokenizer().get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=MAX_TOKENS,
        layer_norm_eps=1e-12,
        num_marks=len(MARKS),
        num_cases=len(CASES),
    )
    encoder = Encoder(shape)
    for values in encoder.parameters():  # large enough for every mark to be said
        if values.dim() == 2:
            torch.nn.init.normal_(values, std=0.5)
    return encoder.eval()


@cache
def small_punctuator(dtype: torch.dtype = torch.float32) -> Punctuator:
    habits = Habits(("en",), (0.0,) * len(MARKS))
    return Punctuator(small_encoder().to(dtype), Reader(small_tokenizer()), habits)
