"""A configuration for a model on a machine: what was asked for, and what suits."""

from __future__ import annotations

from engine.config import EngineConfig
from engine.sizing.choice import Asked, choose
from engine.sizing.machine import this_machine
from engine.sizing.plan import Plan, plan
from engine.sizing.shape import shape_of


def fitted(config: EngineConfig, asked: Asked) -> EngineConfig:
    """`config` with formats, rows and chunks that suit the model here, unless asked otherwise.

    ModelRefused: there is no such model, or it cannot stream.
    """
    if asked.leaves_nothing:
        return config
    return choose(config, asked, shape_of(config), this_machine(config.device))


def planned(
    config: EngineConfig, asked: Asked, *, num_streams: int, memory_bytes: int | None = None
) -> Plan:
    """What `fitted` chooses, and the bytes of it for so many streams; memory_bytes: on a machine
    that has so much of it, and else is as this one. ModelRefused."""
    shape = shape_of(config)
    machine = this_machine(config.device, memory_bytes=memory_bytes)
    return plan(choose(config, asked, shape, machine), shape, machine, num_streams)
