"""Compile the kernels as a model would launch them, to machine code of sm_90; no GPU is needed.

Prints the name of each and the bytes of a processor's memory that a block of it takes.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from engine.attention.hook import LayerCall
from engine.gpu import kernels
from engine.gpu.attention import GpuAttention, rows_of_queries
from engine.gpu.layout import lay_out_for_kernels
from engine.memory.formats import format_of
from engine.memory.kv_store import KVStore, LayerShape
from engine.memory.rotary import Rotary
from engine.schedule.scheduler import Segment
from engine.schedule.session import Session
from engine.schedule.window import Window

HOPPER = GPUTarget("cuda", 90, 32)
CPU = torch.device("cpu")
TYPES = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.int8: "*i8",
    torch.int64: "*i64",
}
# dtype, kept as, head dim, tokens of the step
CASES = {
    "decode": (torch.bfloat16, "bfloat16", 128, 1),
    "chunk": (torch.bfloat16, "bfloat16", 128, 64),
    "int8": (torch.bfloat16, "int8", 128, 64),
    "float32": (torch.float32, "float32", 64, 64),
}
KV_HEADS, GROUPS, SLOTS = 2, 4, 256


class Compiled:
    """In a kernel's place: compiles what it is called with, and does nothing."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def __getitem__(self, _: object) -> Callable[..., None]:
        return self.launch

    def launch(self, *args: object, num_warps: int = 4, num_stages: int = 3, **consts: Any) -> None:
        types = dict(zip(self.kernel.arg_names, map(type_of, args), strict=False))
        signature = {name: types.get(name, "constexpr") for name in self.kernel.arg_names}
        source = ASTSource(self.kernel, signature=signature, constexprs=consts)
        options = {"num_warps": num_warps, "num_stages": num_stages}
        machine_code = triton.compile(source, target=HOPPER, options=options)
        print(self.kernel.__name__, machine_code.metadata.shared)


def type_of(argument: object) -> str:
    if isinstance(argument, Tensor):
        return TYPES[argument.dtype]
    return "fp32" if isinstance(argument, float) else "i32"


def main(case: str) -> None:
    dtype, kept_as, head_dim, num_tokens = CASES[case]
    shape = LayerShape(KV_HEADS, head_dim, head_dim)
    store = KVStore([shape], 1, SLOTS, format_of(kept_as), CPU)
    segment = Segment(Session(0, Window(4, SLOTS - 4)), 0, (0,) * num_tokens, wants_logits=False)
    num_queries = rows_of_queries(head_dim, dtype) // GROUPS if num_tokens > 1 else 1
    layout = lay_out_for_kernels([segment], num_queries)
    query = torch.zeros(KV_HEADS * GROUPS, num_tokens, head_dim, dtype=dtype)
    key = value = torch.zeros(KV_HEADS, num_tokens, head_dim, dtype=dtype)
    rotary = Rotary(torch.ones(head_dim // 2))
    launched = {name: Compiled(getattr(kernels, name)) for name in ("attend", "join", "keep")}
    with patch.multiple(kernels, **launched):
        attend = GpuAttention(store, layout, [rotary], num_processors=132)
        attend(LayerCall(0, 0.1), query, key, value)


for case in CASES:
    main(case)
