"""Weir's streaming engine: exact windowed attention over sinks and recent tokens.

The public face. Names are loaded when first asked for, so that who needs only `engine.prompts` or
`engine.errors` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.quiet import silence_libraries

if TYPE_CHECKING:
    from engine.cache import SinkCache as SinkCache
    from engine.chat import Chat as Chat
    from engine.config import EngineConfig as EngineConfig
    from engine.engine import Engine as Engine
    from engine.errors import ConfigError as ConfigError
    from engine.errors import EngineError as EngineError
    from engine.errors import ModelRefused as ModelRefused
    from engine.errors import NoFreeRow as NoFreeRow
    from engine.errors import SessionLost as SessionLost
    from engine.errors import SnapshotError as SnapshotError
    from engine.generation import Constraint as Constraint
    from engine.generation import GenerateRequest as GenerateRequest
    from engine.session import Session as Session
    from engine.stats import Loss as Loss
    from engine.stats import MemoryReport as MemoryReport
    from engine.stats import StepReport as StepReport
    from engine.text import ChatParts as ChatParts
    from engine.text import Tokenizer as Tokenizer

_HOMES = {
    "SinkCache": "engine.cache",
    "Chat": "engine.chat",
    "EngineConfig": "engine.config",
    "Engine": "engine.engine",
    "ConfigError": "engine.errors",
    "EngineError": "engine.errors",
    "ModelRefused": "engine.errors",
    "NoFreeRow": "engine.errors",
    "SessionLost": "engine.errors",
    "SnapshotError": "engine.errors",
    "Constraint": "engine.generation",
    "GenerateRequest": "engine.generation",
    "Session": "engine.session",
    "Loss": "engine.stats",
    "MemoryReport": "engine.stats",
    "StepReport": "engine.stats",
    "ChatParts": "engine.text",
    "Tokenizer": "engine.text",
}

__all__ = list(_HOMES)

silence_libraries()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
