"""What a model must do for a token, counted from its shape and not from how it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Costs:
    """num_linear_weights  in linear layers, the output layer excepted
    query_width         numbers of all query heads of all layers
    weight_bytes        of all that a step with logits reads: every weight once, but no embedding
                        table, of which it reads a few rows, unless that is the output layer too
    """

    num_linear_weights: int
    query_width: int
    weight_bytes: int

    @classmethod
    def of(cls, hf: PreTrainedModel) -> Costs:
        """Before its weights are packed."""
        config = hf.config.get_text_config()
        model: Any = hf
        output, embedding = model.get_output_embeddings(), model.get_input_embeddings()
        linears = [m for m in hf.modules() if isinstance(m, nn.Linear) and m is not output]
        head_dim = getattr(config, "head_dim", config.hidden_size // config.num_attention_heads)
        is_tied = output.weight is embedding.weight
        unread = 0 if is_tied else embedding.weight.nbytes
        return cls(
            sum(linear.weight.numel() for linear in linears),
            config.num_hidden_layers * config.num_attention_heads * head_dim,
            sum(weight.nbytes for weight in hf.parameters()) - unread,
        )

    def flops_per_fed_token(self, num_seen: int) -> int:
        """A token that sees `num_seen` tokens, without logits.

        2 * linear weights, and for attention 2 * query width * seen for the scores and as much for
        the sum of the values.
        """
        return 2 * self.num_linear_weights + 4 * self.query_width * num_seen

    def bytes_per_step(self, num_streams: int, row_bytes: int) -> int:
        """A step in which streams with full windows decode a token each: weights once, keys and
        values of every row once."""
        return self.weight_bytes + num_streams * row_bytes
