"""Only the cache: `generate` of a plain transformers model goes on for ever at constant memory.

`model.generate(..., past_key_values=SinkCache(model))` has the engine's window and its answers.

A cache is given keys that are already rotated, and no query. So what the engine does with a query,
turn it back towards the sinks, is done the other way round: the sinks' keys are turned forward, at
each token anew from those that were stored, in float32. One turn fits one query, so that tokens go
in one at a time once the window is full; what is longer goes through the engine's own attention.
"""

from __future__ import annotations

from copy import copy, deepcopy
from inspect import signature
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from engine.attention.adapters import ADAPTERS
from engine.attention.hook import IMPLEMENTATION
from engine.cache.lockstep import Lockstep
from engine.config import EngineConfig
from engine.errors import EngineError, ModelRefused
from engine.model.model import StreamingModel, own_attention
from engine.schedule.window import Window

# The implementations whose masks the tests hold to the reference.
IMPLEMENTATIONS = ("eager", "sdpa")


class SinkCache(Cache):
    """One window for each sequence of a batch; all have the same length, there is no padding.

    Prompts of any length, sampling, beam search, calls of `generate` that continue each other and
    `copy.deepcopy`, for several continuations of one text, work. Going back does not (assisted
    decoding), nor training: no gradient flows through it. Positions stay below a few windows.
    """

    def __init__(self, hf: PreTrainedModel, *, num_sinks: int = 4, num_recent: int = 1020) -> None:
        """Tries `hf` on some tokens, as the engine does. ModelRefused says why it cannot stream."""
        super().__init__(layers=[])
        name = hf.name_or_path or hf.config.model_type
        config = EngineConfig(name, num_sinks=num_sinks, num_recent=num_recent)
        _refuse_model(hf, name)
        with own_attention(hf, IMPLEMENTATION):
            self._model = StreamingModel(hf)
        self._window = Window(config.num_sinks, config.num_recent)
        self._rows: Lockstep | None = None
        if before_forward not in hf._forward_pre_hooks.values():
            hf.register_forward_pre_hook(before_forward, with_kwargs=True)

    @property
    def num_bytes(self) -> int:
        """Of keys and values: 0 before the first token, then the same for ever."""
        return 0 if self._rows is None else self._rows.num_bytes

    def feed(self, input_ids: Tensor) -> None:
        """Compute (B, C) tokens exactly, whatever C, in the chunks of the engine; no logits."""
        rows = self._rows_for(input_ids)
        with own_attention(self._model.hf, IMPLEMENTATION):
            rows.feed(input_ids)

    def prepare(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Make ready for the tokens in `inputs`; return what the model is to be called with."""
        if inputs.get("use_cache") is False:
            raise EngineError(
                "use_cache=False has `generate` give the whole text again for each token, which "
                "the cache would take for more text: say use_cache=True."
            )
        input_ids = _input_ids(inputs)
        _refuse_unless_next(inputs, input_ids, self.get_seq_length())
        rows = self._rows_for(input_ids)
        num_tokens = input_ids.shape[1]
        if num_tokens > 1 and not rows.has_room_for(num_tokens):
            if inputs.get("logits_to_keep") != 1:
                raise EngineError(
                    f"{num_tokens} tokens do not fit at once into what is left of a window of "
                    f"{self._window.size}. `generate` feeds such a prompt by itself; here, call "
                    "cache.feed(input_ids[:, :-1]) and then the model with the last token, or "
                    "ask for the last logits only: logits_to_keep=1."
                )
            self.feed(input_ids[:, :-1])
            input_ids = input_ids[:, -1:]
        position_ids = rows.begin(input_ids.shape[1]).expand_as(input_ids)
        ours = {"input_ids": input_ids, "position_ids": position_ids, "attention_mask": None}
        return {**inputs, **ours}

    def _rows_for(self, input_ids: Tensor) -> Lockstep:
        if self._rows is None:
            self._rows = Lockstep(self._model, self._window, len(input_ids))
        if self._rows.num_rows != len(input_ids):
            raise EngineError(
                f"The cache holds {self._rows.num_rows} sequences and is given {len(input_ids)}: "
                "make a new one, or reset() this one."
            )
        return self._rows

    # From here on: what transformers asks of a cache.

    @torch.no_grad()
    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values (B, KV, C, D) of new tokens -> of all that they see, (B, KV, T, D)."""
        if self._rows is None or not self._rows.is_begun:
            raise EngineError("Call the model that the cache was made for with past_key_values=it.")
        return self._rows.update(layer_idx, key_states, value_states)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens seen, whether or not they are still in the window: `generate` counts by them."""
        return 0 if self._rows is None else self._rows.length

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """How many keys there are, and which number makes the last one's that of the last query."""
        length = self.get_seq_length() + query_length
        num_keys = self._window.fill(length)
        return num_keys, length - num_keys

    def get_max_length(self, layer_idx: int | None = None) -> int:
        """-1: there is none."""
        return -1

    def reset(self) -> None:
        self._rows = None

    def reorder_cache(self, beam_idx: Tensor) -> None:
        if self._rows is not None:
            self._rows.reorder(beam_idx)

    def __deepcopy__(self, memo: dict[int, Any]) -> SinkCache:
        """Windows of its own over the same model."""
        twin = copy(self)
        twin._rows = deepcopy(self._rows, {**memo, id(self._model): self._model})
        return twin

    @property
    def is_croppable(self) -> bool:
        return False

    def crop(self, tokens_to_remove: int) -> NoReturn:
        raise EngineError("The cache cannot go back (assisted decoding): what slid out is gone.")

    def activate_past_recording(self) -> NoReturn:
        self.crop(0)

    def batch_select_indices(self, indices: Tensor) -> NoReturn:
        raise EngineError("The number of sequences stays the same: copy.deepcopy(cache) for each.")

    def batch_repeat_interleave(self, repeats: int) -> NoReturn:
        self.batch_select_indices(torch.arange(repeats))


def before_forward(
    hf: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[()], dict[str, Any]] | None:
    """A hook of every model that has had a SinkCache; leaves calls without one as they are."""
    cache = kwargs.get("past_key_values")
    if not isinstance(cache, SinkCache):
        return None
    if cache._model.hf is not hf:
        raise EngineError("The cache was made for another model.")
    named = dict(zip(signature(hf.forward).parameters, args, strict=False)) if args else {}
    return (), cache.prepare({**named, **kwargs})


def _input_ids(inputs: dict[str, Any]) -> Tensor:
    input_ids: Tensor | None = inputs.get("input_ids")
    if input_ids is None:
        raise EngineError("The cache needs input_ids: embeddings do not say what to feed.")
    mask: Tensor | None = inputs.get("attention_mask")
    if mask is not None and not (mask.ndim == 2 and bool(mask.all())):
        raise EngineError(
            "The cache knows no padding, nor masks of your own: batch sequences of one length, "
            "and give any other a cache of its own."
        )
    return input_ids


def _refuse_unless_next(inputs: dict[str, Any], input_ids: Tensor, num_seen: int) -> None:
    """`generate` cuts off what was seen; of a text that is no longer than that, it cuts anything.

    What is left looks like new text: only the mask or the positions tell where it stood.
    """
    mask, positions = inputs.get("attention_mask"), inputs.get("position_ids")
    places = list(range(num_seen, num_seen + input_ids.shape[1]))
    rows = [] if positions is None else positions.tolist()
    is_counted_on = mask is None or mask.shape[1] == num_seen + len(places)
    if places and is_counted_on and all(row == places for row in rows):
        return
    raise EngineError(
        f"The cache has seen {num_seen} tokens, and what it is given does not come next: give "
        "`generate` the whole text so far and what comes next, or that alone with an "
        "attention_mask for both, or reset() the cache for another text."
    )


def _refuse_model(hf: PreTrainedModel, name: str) -> None:
    devices = {weight.device for weight in hf.parameters()}
    if hf.config.model_type in ADAPTERS:
        reason = "it attends in a way of its own (ALiBi, or no attention interface): use Engine"
    elif hf.config._attn_implementation not in IMPLEMENTATIONS:
        reason = f"its attn_implementation is not one of {', '.join(IMPLEMENTATIONS)}"
    elif len(devices) > 1 or devices == {torch.device("meta")}:
        reason = "its weights are not on one device"
    else:
        return
    raise ModelRefused(f"{name} cannot use the cache: {reason}.")
