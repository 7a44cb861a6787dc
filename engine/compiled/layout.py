"""How oneDNN has arranged a weight: outputs in blocks, looked up in the memory of each weight.

Letters: N outputs, K inputs, b outputs of a block.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCKS = (64, 48, 32, 16)
# Inputs that lie side by side for one output.
TOGETHER = {torch.float32: 1, torch.int8: 4}

Array = NDArray[Any]


def address(packed: Tensor) -> int:
    """Of a weight that only oneDNN can read."""
    found: int = _ops().mkldnn.data_ptr(packed)
    return found


def block_of(packed: Tensor) -> int:
    """b, if the weight lies as (N / b, K / t, b, t), filled up with whole blocks; else 0."""
    plain = packed.to_dense()
    weight = (plain.T if packed.dtype == torch.int8 else plain).numpy()
    return next((b for b in BLOCKS if _lies_in(packed, weight, b)), 0)


def output_sums(packed: Tensor, num_outputs: int, num_inputs: int, block: int) -> Array:
    """(N', ) int32, of whole blocks: the sum of each output's weights."""
    lying = _lying(packed, num_outputs, num_inputs, block)
    sums: Array = lying.sum(axis=(1, 3), dtype=np.int32).ravel()
    return sums


def _lies_in(packed: Tensor, weight: Array, block: int) -> bool:
    num_outputs, num_inputs = weight.shape
    together = TOGETHER[packed.dtype]
    num_bytes = -(-num_outputs // block) * block * num_inputs * packed.dtype.itemsize
    if num_inputs % together or num_bytes > _ops().mkldnn._nbytes(packed):
        return False
    lying = _lying(packed, num_outputs, num_inputs, block)
    for number in range(len(lying)):
        rows = weight[number * block : (number + 1) * block]
        expected = rows.reshape(len(rows), -1, together).transpose(1, 0, 2)
        if not np.array_equal(lying[number, :, : len(rows)], expected):
            return False
    return True


def _lying(packed: Tensor, num_outputs: int, num_inputs: int, block: int) -> Array:
    """(N / b, K / t, b, t): a view of the memory."""
    together = TOGETHER[packed.dtype]
    shape = (-(-num_outputs // block), num_inputs // together, block, together)
    kind = ctypes.c_float if packed.dtype == torch.float32 else ctypes.c_int8
    lying = (kind * int(np.prod(shape))).from_address(address(packed))
    return np.ctypeslib.as_array(lying).reshape(shape)


def _ops() -> Any:
    return torch.ops
