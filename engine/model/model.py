"""A loaded transformers model as the engine runs it: segments in, logits out.

What a model must be is learned by watching it (probe.py) and checked before it is used
(self_check.py).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from engine.attention.adapters import plain_attention, set_attention
from engine.attention.hook import Attend, attending
from engine.attention.plan import lay_out, wanted_logits
from engine.attention.step import StepAttention
from engine.compiled.steps import CompiledSteps
from engine.gpu import Gpu, gpu_of
from engine.memory.formats import Floats, Format
from engine.memory.kv_store import KVStore
from engine.model.compiled import compiled_steps_of
from engine.model.probe import probe_layers
from engine.model.refusals import (
    refuse_by_config,
    refusing,
)
from engine.model.self_check import (
    TOLERANCE,
    check_against_own_attention,
    error_of_single_tokens,
)
from engine.schedule.generation import GREEDY, Sampling
from engine.schedule.scheduler import Segment
from engine.schedule.window import Window
from engine.weights.packing import filled_up, pack_linears
from engine.weights.quantise import num_bytes, weight_tensors

if TYPE_CHECKING:
    from engine.gpu.steps import GpuSteps

logger = logging.getLogger(__name__)

# Where and by what a model was saved does not change what it computes.
NOT_THE_MODEL = ("_name_or_path", "transformers_version")
SAMPLED_NUMBERS = 256
# Angles of large positions are rough even in float32, so there they stay as small as they can. For
# keys in half precision or int8 their rounding is finer than the key's own, and what costs is to
# round a key again: only one in fifteen is.
POSITION_WINDOWS = 2
POSITION_WINDOWS_OF_ROUGH_KEYS = 16


class StreamingModel:
    """A causal language model whose attention reads rows of a KV store."""

    def __init__(
        self,
        hf: PreTrainedModel,
        kept_as: Format | None = None,
        compute_dtype: str | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        """`hf` must have the engine's attention; ModelRefused names what cannot stream.

        `kept_as`: how its keys and values are kept; None = as it computes them. `compute_dtype`: as
        in EngineConfig, from `pack` on. `gpu`: what runs kernels; None = what it is on, if a GPU.
        """
        self.hf = hf
        self.compute_dtype = compute_dtype
        self.is_packed = False
        self.compiled_steps: CompiledSteps | None = None
        self.dtype: torch.dtype = hf.dtype
        # Exact at first: what the check finds must be the attention's doing.
        self.kv_format: Format = Floats(hf.dtype)
        self.device: torch.device = hf.device
        self.vocab_size: int = hf.config.get_text_config().vocab_size
        with refusing(hf.name_or_path or hf.config.model_type):
            refuse_by_config(hf.config)
            num_layers = hf.config.get_text_config().num_hidden_layers
            self.shapes, self.rotaries = probe_layers(hf, num_layers)
            self.gpu_steps = self._steps_on(gpu or gpu_of(hf.device))
            self._check()
        self.kv_format = kept_as or self.kv_format

    def _steps_on(self, gpu: Gpu | None) -> GpuSteps | None:
        if gpu is None:
            return None
        num_heads = self.hf.config.get_text_config().num_attention_heads
        num_groups = num_heads // min(shape.num_kv_heads for shape in self.shapes)
        key_dim = max(shape.key_dim for shape in self.shapes)
        of_model = self._forward, self.rotaries, self.device
        return gpu.steps(*of_model, num_groups, key_dim, self.dtype)

    def _check(self) -> None:
        """Where kernels do not run, or answer otherwise, PyTorch's products do their work."""
        if self.gpu_steps is not None:
            try:
                return check_against_own_attention(self)
            except Exception as error:  # compilers, drivers and cards fail in ways of their own
                logger.warning("No kernels for %s on this GPU: %s", self.hf.name_or_path, error)
                self.gpu_steps = None
        return check_against_own_attention(self)

    @cached_property
    def fingerprint(self) -> str:
        """Tells apart who computed a row, and how it is kept: the configuration, the format, and a
        few numbers of every weight."""
        config = {k: v for k, v in self.hf.config.to_dict().items() if k not in NOT_THE_MODEL}
        digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
        digest.update(f"{self.kv_format.name}{self.compute_dtype or ''}".encode())
        for name, weight in weight_tensors(self.hf):
            digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            few = weight.detach().flatten()[:: 1 + weight.numel() // SAMPLED_NUMBERS]
            digest.update(few.double().cpu().numpy().tobytes())
        return digest.hexdigest()

    def pack(self) -> None:
        """Arrange the weights for speed. After that no one can read them: `fingerprint` has."""
        _ = self.fingerprint
        pack_linears(self.hf, input_bits=16 if self.compute_dtype is None else 8)
        self.is_packed = self.device.type == "cpu"

    def compile_steps(self) -> None:
        """Compute steps of few single tokens in compiled code, where that can be had and is right;
        after `pack`."""
        self.compiled_steps = compiled_steps_of(self.hf, self.rotaries)
        if self.compiled_steps is None:
            return
        error = error_of_single_tokens(self)
        if not error <= TOLERANCE:
            logger.warning("No compiled steps for %s: off by %.1e", self.hf.name_or_path, error)
            self.compiled_steps = None

    @property
    def weight_bytes(self) -> int:
        """What the weights take, as they are arranged now."""
        return num_bytes(self.hf)

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end an answer, as the model's makers say."""
        eos = getattr(self.hf.generation_config, "eos_token_id", None)
        return frozenset(eos if isinstance(eos, list) else [] if eos is None else [eos])

    @property
    def sampling(self) -> Sampling:
        """How its makers want answers to be drawn, as far as they say."""
        said = self.hf.generation_config
        if not getattr(said, "do_sample", False):
            return GREEDY
        named = {name: getattr(said, name, None) for name in Sampling.__dataclass_fields__}
        drawn = {"temperature": 1.0, **{n: v for n, v in named.items() if v is not None}}
        return Sampling(**drawn)

    def position_limit(self, window: Window) -> int:
        """How far a session's positions may grow before its recent keys are turned back."""
        is_rough = self.kv_format.is_rough
        return window.size * (POSITION_WINDOWS_OF_ROUGH_KEYS if is_rough else POSITION_WINDOWS)

    @property
    def bytes_per_token(self) -> int:
        """Keys and values of one token in all layers."""
        return sum(shape.bytes_per_token(self.kv_format) for shape in self.shapes)

    def new_store(self, num_rows: int, num_slots: int) -> KVStore:
        return KVStore(self.shapes, num_rows, num_slots, self.kv_format, self.device)

    @torch.inference_mode()
    def compute(
        self, segments: Sequence[Segment], store: KVStore, *, all_logits: bool = False
    ) -> Tensor:
        """Keys and values of `segments` go to `store`; (wanted, vocab) logits come back."""
        for segment in segments:
            self._keep_positions_small(segment, store)
        if self.gpu_steps is not None:
            return self.gpu_steps.compute(segments, store, all_logits=all_logits)
        if self.compiled_steps is not None and self.compiled_steps.can(segments, store):
            return self.compiled_steps.compute(segments, store, all_logits=all_logits)
        num_tokens = sum(segment.num_tokens for segment in segments)
        plan = lay_out(segments, self.device, num_fillers=self._num_fillers(num_tokens))
        wanted = wanted_logits(segments, all_logits=all_logits)
        again = wanted[-1:] * self._num_fillers(len(wanted))
        logits_at = torch.tensor(wanted + again, dtype=torch.int64, device=self.device)
        attend = StepAttention(store, plan.parts, self.rotaries)
        logits = self._forward(plan.input_ids, plan.position_ids, logits_at, attend)
        return logits[: len(wanted)]

    def _num_fillers(self, num_tokens: int) -> int:
        return filled_up(num_tokens) - num_tokens if self.is_packed else 0

    @torch.inference_mode()
    def dense_logits(self, token_ids: Sequence[int], *, last_only: bool = False) -> Tensor:
        """(T or 1, vocab) float32 by the model's own causal attention, without any store."""
        with own_attention(self.hf):
            inputs = torch.tensor([token_ids], device=self.device)
            answer = self.hf(input_ids=inputs, use_cache=False, logits_to_keep=int(last_only))
            logits: Tensor = answer.logits[0]
            return logits.float()

    @torch.inference_mode()
    def dense_step(self, token_ids: Sequence[int], cache: Any) -> tuple[Tensor, Any]:
        """(C, vocab) float32 of the next tokens, by the model's own attention over a cache that
        grows; and that cache, for the step after. The first has None."""
        # The fused attention leaves out the soft cap of Gemma 2.
        has_softcap = getattr(self.hf.config.get_text_config(), "attn_logit_softcapping", None)
        is_fused = self.hf._supports_sdpa and not has_softcap
        with own_attention(self.hf, "sdpa" if is_fused else "eager"):
            inputs = torch.tensor([token_ids], device=self.device)
            answer = self.hf(input_ids=inputs, past_key_values=cache, use_cache=True)
        return answer.logits[0].float(), answer.past_key_values

    def _keep_positions_small(self, segment: Segment, store: KVStore) -> None:
        session = segment.session
        moved = session.rebase()
        if moved:
            ring = slice(session.window.num_sinks, session.window.size)
            store.turn_keys_back(session.row, ring, moved, self.rotaries)

    def _forward(
        self, input_ids: Tensor, position_ids: Tensor, wanted: Tensor, attend: Attend
    ) -> Tensor:
        inputs: dict[str, Any] = {"input_ids": input_ids, "position_ids": position_ids}
        with attending(attend):
            if wanted.numel() == 0:
                self.hf.base_model(**inputs, use_cache=False)
                return torch.empty(0, self.vocab_size, device=self.device)
            answer = self.hf(**inputs, use_cache=False, logits_to_keep=wanted)
            logits: Tensor = answer.logits[0]
            return logits


@contextmanager
def own_attention(hf: PreTrainedModel, implementation: str | None = None) -> Iterator[None]:
    """Within this block the model attends as `implementation` does, by default a plain one."""
    before = hf.config._attn_implementation
    set_attention(hf, implementation or plain_attention(hf))
    try:
        yield
    finally:
        set_attention(hf, before)
