"""What the engine aims at beside its peers. An aim whose peer is absent is not stated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from engine.bench.aims import AIMED_DTYPE, LARGEST_DIFFERENCE, Aim, at_least, at_most
from engine.bench.peers.participants import TOKEN_BY_TOKEN, WEIR
from engine.bench.peers.peer_processes import LLAMA_CPP, SINKS

if TYPE_CHECKING:
    from engine.bench.peers.measure import Decoded, Fed

TIMES_ATTENTION_SINKS = 20.0
TIMES_LLAMA_CPP = 1.5
TIMES_LLAMA_CPP_ALONE = 1.0
TIMES_ONE = 6.0


def aims_of(
    differences: Mapping[str, float], feeding: Iterable[Fed], decoding: Iterable[Decoded]
) -> dict[str, Aim]:
    """`differences`: largest one of logits from ours, by the name of the peer."""
    return {
        **_same_model(differences),
        **_feeding(list(feeding)),
        **_decoding(list(decoding)),
    }


def _same_model(differences: Mapping[str, float]) -> dict[str, Aim]:
    return {
        f"same_logits_{name}": at_most(
            f"largest difference of logits, {name}", LARGEST_DIFFERENCE, difference
        )
        for name, difference in differences.items()
        if name.endswith(AIMED_DTYPE)
    }


def _feeding(feeding: list[Fed]) -> dict[str, Aim]:
    aims = {}
    for fed in feeding:
        is_aimed = (fed.who, fed.precision, fed.way) == (SINKS, AIMED_DTYPE, TOKEN_BY_TOKEN)
        if is_aimed and fed.against_same:
            aims["feed_vs_attention_sinks"] = at_least(
                f"times as fast at feeding as {SINKS}, both {AIMED_DTYPE}",
                TIMES_ATTENTION_SINKS,
                fed.against_same.median,
            )
    theirs = [fed for fed in feeding if fed.who == LLAMA_CPP]
    if theirs:
        best = max(theirs, key=lambda fed: fed.tokens_per_second)
        aims["feed_vs_llama_cpp"] = at_least(
            f"times as fast at feeding as {LLAMA_CPP}, best ({best.precision}) against best",
            TIMES_LLAMA_CPP,
            best.against_best.median,
        )
    return aims


def _decoding(decoding: list[Decoded]) -> dict[str, Aim]:
    aims = {}
    for decoded in decoding:
        if decoded.who == LLAMA_CPP and decoded.against_same:
            aims[f"decode_vs_llama_cpp_{decoded.precision}"] = at_least(
                f"times as fast as {LLAMA_CPP} at decoding one stream, both {decoded.precision}",
                TIMES_LLAMA_CPP_ALONE,
                decoded.against_same.median,
            )
        if decoded.who == WEIR and decoded.precision == AIMED_DTYPE:
            aims["sixteen_streams"] = at_least(
                "times the speed of one stream, 16 together", TIMES_ONE, decoded.together.median
            )
    return aims
