"""Where a grammar leaves one token, it is not decoded: it goes in with those that follow it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.schedule.generation import GenerateRequest, Only, Sampling
from tests.engine.families import VOCAB_SIZE, tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import run, tiny_engine, tokens

SINKS, RECENT = 2, 14
SCRIPTS = st.lists(
    st.sets(st.integers(3, VOCAB_SIZE - 1), min_size=1, max_size=3)
    | st.sets(st.integers(3, VOCAB_SIZE - 1), min_size=1, max_size=1),
    min_size=1,
    max_size=24,
)


class Script:
    """Place by place, what may stand there."""

    def __init__(self, places: Sequence[set[int]]) -> None:
        self.places = places
        self.num_accepted = 0
        self.num_asked = 0

    def allowed(self) -> Only:
        self.num_asked += 1
        return Only(self.places[self.num_accepted])

    def accept(self, token_id: int) -> None:
        assert token_id in self.places[self.num_accepted]
        self.num_accepted += 1

    @property
    def is_complete(self) -> bool:
        return self.num_accepted == len(self.places)


def one_by_one(prompt: list[int], places: Sequence[set[int]]) -> list[int]:
    """The likeliest of what may stand at each place, by the reference, which knows no engine."""
    text = list(prompt)
    for place in places:
        logits = reference_logits(tiny("llama"), text, SINKS, RECENT)[-1]
        text.append(max(place, key=lambda token: float(logits[token])))
    return text[len(prompt) :]


@settings(max_examples=25)
@given(places=SCRIPTS, num_prompt=st.integers(1, 20))
def test_what_is_forced_and_what_is_chosen_are_those_of_one_token_at_a_time(
    places: list[set[int]], num_prompt: int
) -> None:
    engine = tiny_engine(num_sinks=SINKS, num_recent=RECENT)
    session, prompt = engine.open(), tokens(num_prompt)
    script = Script(places)
    engine.generate(session, prompt, GenerateRequest(99, constraint=script))
    run(engine)
    assert session.generated == one_by_one(prompt, places)
    assert session.finish_reason == "constraint"
    assert script.num_asked <= len(places)


def test_forced_tokens_take_no_step_of_their_own() -> None:
    engine = tiny_engine(max_chunk=16)
    session = engine.open()
    places = [{5, 6}, *({7 + n} for n in range(12)), {40, 41}]
    engine.generate(session, tokens(4), GenerateRequest(99, constraint=Script(places)))
    num_steps = 0
    while engine.has_work and session.is_generating:
        engine.step()
        num_steps += 1
    assert num_steps == 2
    assert session.generated[1:13] == list(range(7, 19))


def test_logits_after_a_run_are_those_of_a_stream_that_was_fed_with_it() -> None:
    places = [{5, 6}, *({7 + n} for n in range(9))]
    engine = tiny_engine(num_sinks=SINKS, num_recent=RECENT)
    session = engine.open()
    engine.generate(session, tokens(9), GenerateRequest(99, constraint=Script(places)))
    run(engine)
    engine.generate(session, tokens(1), GenerateRequest(8))
    run(engine)
    text = tokens(9) + one_by_one(tokens(9), places) + tokens(1)
    fed = engine.open()
    engine.generate(fed, text, GenerateRequest(8))
    run(engine)
    assert session.generated == fed.generated


@given(places=SCRIPTS, max_tokens=st.integers(1, 24))
@settings(max_examples=25)
def test_the_longest_text_is_not_passed_by_a_run(places: list[set[int]], max_tokens: int) -> None:
    engine = tiny_engine()
    session = engine.open()
    request = GenerateRequest(max_tokens, constraint=Script(places))
    engine.generate(session, tokens(3), request)
    run(engine)
    assert len(session.generated) == min(max_tokens, len(places))


def test_a_run_ends_at_a_stop_token() -> None:
    engine = tiny_engine()
    session = engine.open()
    script = Script([{5, 6}, {7}, {8}, {9}])
    engine.generate(session, tokens(3), GenerateRequest(9, frozenset({8}), constraint=script))
    run(engine)
    assert session.generated[1:] == [7]
    assert session.finish_reason == "stop"


def test_draws_after_a_run_are_those_of_one_token_at_a_time() -> None:
    """The n-th draw depends on n: what was forced counts as well, as if it had been drawn."""
    free = set(range(3, VOCAB_SIZE))
    places = [{5, 6}, {7}, {8}, free, free]
    engine = tiny_engine(num_sinks=SINKS, num_recent=RECENT)
    session = engine.open()
    request = GenerateRequest(9, constraint=Script(places), sampling=Sampling(2.0), seed=3)
    engine.generate(session, tokens(5), request)
    run(engine)
    text = list(tokens(5))
    for number, place in enumerate(places):
        logits = reference_logits(tiny("llama"), text, SINKS, RECENT)[-1].double() / 2.0
        logits[[token for token in range(len(logits)) if token not in place]] = -torch.inf
        draw = torch.rand(
            (), generator=torch.Generator().manual_seed((3 << 20) + number), dtype=torch.float64
        )
        shares = logits.softmax(-1).cumsum(-1)
        text.append(int((shares <= draw * shares[-1]).sum()))
    assert session.generated == text[5:]
