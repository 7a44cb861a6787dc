"""The network: words in, for each word the scores of the marks after it and of how it is written.

It is the plain encoder of BERT (Devlin et al., 1810.04805; layer norm after each half, learned
positions), written out so that one module serves training and streams. B sequences, L tokens,
W words, H hidden.

The way a word is written depends on what stands before it: a word after a full stop has a capital
whatever it means. So `cases` takes the decision about the mark before each word, and the network
itself learns only names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    layer_norm_eps: float
    num_marks: int
    num_cases: int


class Encoder(nn.Module):
    def __init__(self, shape: Shape, dropout: float = 0.0):
        super().__init__()
        hidden = shape.hidden_size
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocab_size, hidden)
        self.positions = nn.Embedding(shape.max_position_embeddings, hidden)
        self.norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.num_hidden_layers))
        self.mark = nn.Linear(hidden, shape.num_marks)
        self.case = nn.Linear(hidden, shape.num_cases)
        self.case_after_end = nn.Parameter(torch.zeros(2, shape.num_cases))

    def forward(self, tokens: Tensor, is_token: Tensor) -> Tensor:
        """tokens, is_token [B, L] -> hidden states [B, L, H]; padding is seen by nobody."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        states: Tensor = self.dropout(self.norm(self.tokens(tokens) + self.positions(places)))
        bias = torch.zeros(tokens.shape).masked_fill(~is_token, -torch.inf)[:, None, None, :]
        for layer in self.layers:
            states = layer(states, bias)
        return states

    def cases(self, states: Tensor, is_after_end: Tensor) -> Tensor:
        """states [..., H], is_after_end [...] of 0 and 1 -> scores [..., cases]."""
        scores: Tensor = self.case(states) + self.case_after_end[is_after_end]
        return scores


class Layer(nn.Module):
    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        hidden, eps = shape.hidden_size, shape.layer_norm_eps
        self.num_heads = shape.num_attention_heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.norm_attention = nn.LayerNorm(hidden, eps=eps)
        self.up = nn.Linear(hidden, shape.intermediate_size)
        self.down = nn.Linear(shape.intermediate_size, hidden)
        self.norm_mlp = nn.LayerNorm(hidden, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """states [B, L, H], bias [B, 1, 1, L]: 0 where there is a token, else -inf."""
        states = self.norm_attention(states + self.dropout(self.out(self._attend(states, bias))))
        inner = functional.gelu(self.up(states))
        normed: Tensor = self.norm_mlp(states + self.dropout(self.down(inner)))
        return normed

    def _attend(self, states: Tensor, bias: Tensor) -> Tensor:
        """Written out: on a CPU its gradient takes half the time of the fused function's."""
        size, length, hidden = states.shape
        qkv = self.qkv(states).view(size, length, 3, self.num_heads, hidden // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        seen = torch.softmax(scores.float() + bias, dim=-1).to(v.dtype) @ v
        joined: Tensor = seen.transpose(1, 2).reshape(size, length, hidden)
        return joined
