"""JSON that nobody can change any more: what is committed is a value, never somebody's live list.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class FrozenMapping(Mapping[str, Any]):
    """A mapping of its own: it shares nothing that can be changed with what it was made of."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]):
        self._items = {name: frozen(value) for name, value in items.items()}

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __or__(self, other: Mapping[str, Any]) -> FrozenMapping:
        return FrozenMapping({**self, **other})

    def __repr__(self) -> str:
        return repr(self._items)


def frozen(value: Any) -> Any:
    """`value`, of the types that JSON has, as it is now: mappings frozen, lists as tuples."""
    if isinstance(value, FrozenMapping):
        return value
    if isinstance(value, Mapping):
        return FrozenMapping(value)
    if isinstance(value, list | tuple):
        return tuple(map(frozen, value))
    return value


def plain(value: Any) -> Any:
    """The same in types that `json` writes, none of them shared."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
