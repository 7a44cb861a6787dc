"""Weir's streaming engine: exact windowed attention over sinks and recent tokens.

The public face. Names are loaded when first asked for, so that who needs only `engine.text.prompts`
or `engine.errors` does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.model.quiet import silence_libraries, wait_asleep

if TYPE_CHECKING:
    from engine.cache.sink_cache import SinkCache as SinkCache
    from engine.chat.chat import Chat as Chat
    from engine.config import EngineConfig as EngineConfig
    from engine.engine import Engine as Engine
    from engine.errors import ConfigError as ConfigError
    from engine.errors import EngineError as EngineError
    from engine.errors import GrammarError as GrammarError
    from engine.errors import ModelRefused as ModelRefused
    from engine.errors import NoFreeRow as NoFreeRow
    from engine.errors import SessionLost as SessionLost
    from engine.errors import SnapshotError as SnapshotError
    from engine.model.added import AddedModels as AddedModels
    from engine.restore.desk import Desk as Desk
    from engine.restore.desk import Ticket as Ticket
    from engine.restore.passage import Passage as Passage
    from engine.restore.punctuator import Punctuator as Punctuator
    from engine.restore.spelling import is_raw as is_raw
    from engine.schedule.generation import AllBut as AllBut
    from engine.schedule.generation import Constraint as Constraint
    from engine.schedule.generation import GenerateRequest as GenerateRequest
    from engine.schedule.generation import Only as Only
    from engine.schedule.generation import Sampling as Sampling
    from engine.schedule.session import Session as Session
    from engine.sentences.cutting import cuts as cuts
    from engine.sentences.cutting import is_telling as is_telling
    from engine.sentences.highlighter import Highlighter as Highlighter
    from engine.sentences.standing import standing as standing
    from engine.sizing.choice import Asked as Asked
    from engine.sizing.fit import fitted as fitted
    from engine.sizing.fit import planned as planned
    from engine.sizing.plan import Plan as Plan
    from engine.stats import Loss as Loss
    from engine.stats import MemoryReport as MemoryReport
    from engine.stats import StepReport as StepReport
    from engine.text.grammar import GrammarConstraint as GrammarConstraint
    from engine.text.grammar import Grammars as Grammars
    from engine.text.tokenizer import ChatParts as ChatParts
    from engine.text.tokenizer import Tokenizer as Tokenizer

_HOMES = {
    "SinkCache": "engine.cache.sink_cache",
    "Chat": "engine.chat.chat",
    "EngineConfig": "engine.config",
    "Engine": "engine.engine",
    "ConfigError": "engine.errors",
    "EngineError": "engine.errors",
    "GrammarError": "engine.errors",
    "ModelRefused": "engine.errors",
    "NoFreeRow": "engine.errors",
    "SessionLost": "engine.errors",
    "SnapshotError": "engine.errors",
    "AddedModels": "engine.model.added",
    "Desk": "engine.restore.desk",
    "Ticket": "engine.restore.desk",
    "Passage": "engine.restore.passage",
    "Punctuator": "engine.restore.punctuator",
    "is_raw": "engine.restore.spelling",
    "AllBut": "engine.schedule.generation",
    "Constraint": "engine.schedule.generation",
    "GenerateRequest": "engine.schedule.generation",
    "Only": "engine.schedule.generation",
    "Sampling": "engine.schedule.generation",
    "Session": "engine.schedule.session",
    "cuts": "engine.sentences.cutting",
    "is_telling": "engine.sentences.cutting",
    "Highlighter": "engine.sentences.highlighter",
    "standing": "engine.sentences.standing",
    "Asked": "engine.sizing.choice",
    "fitted": "engine.sizing.fit",
    "planned": "engine.sizing.fit",
    "Plan": "engine.sizing.plan",
    "Loss": "engine.stats",
    "MemoryReport": "engine.stats",
    "StepReport": "engine.stats",
    "GrammarConstraint": "engine.text.grammar",
    "Grammars": "engine.text.grammar",
    "ChatParts": "engine.text.tokenizer",
    "Tokenizer": "engine.text.tokenizer",
}

__all__ = list(_HOMES)

silence_libraries()
wait_asleep()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
