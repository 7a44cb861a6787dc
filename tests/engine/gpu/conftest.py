"""Triton's interpreter runs the kernels of these tests: without what it does again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import triton.language as tl
from triton.runtime import interpreter


class Patches:
    """While a kernel is interpreted, Triton's language computes with numpy. The interpreter sees to
    that at the kernel's start, and then in every call of a function within it: once is enough."""

    def __init__(self, patch: Callable[[Any], Any]) -> None:
        self._patch = patch
        self._patched: set[int] = set()

    def __call__(self, function: Any) -> Patched | None:
        seen = {id(value) for value in function.__globals__.values()} & {id(tl), id(tl.core)}
        if seen <= self._patched:
            return None
        self._patched |= seen
        return Patched(self._patched, self._patch(function))


class Patched:
    """What the interpreter ends a kernel with."""

    def __init__(self, patched: set[int], scope: Any) -> None:
        self._patched, self._scope = patched, scope

    def restore(self) -> None:
        self._patched.clear()
        self._scope.restore()


@pytest.fixture(autouse=True, scope="session")
def quick_interpreter() -> Iterator[None]:
    # That no whole number overflows need not be computed again for each: they are all small here.
    options = interpreter.InterpreterOptions(sanitize_overflow=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter.interpreter_builder, "options", options)
        patch.setattr(interpreter, "_patch_lang", Patches(interpreter._patch_lang))
        yield
