"""Decoding: what comes out is what the definition says, whoever else is in the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.engine import Engine
from engine.errors import ConfigError
from engine.model.sampler import sample
from engine.schedule.generation import GenerateRequest, Generation, Only
from engine.schedule.session import Session
from tests.engine.families import VOCAB_SIZE, tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import run, tiny_engine, tokens


class OnlyEven:
    """A toy grammar: even tokens only, and five of them."""

    def __init__(self) -> None:
        self.accepted: list[int] = []

    def allowed(self) -> Only:
        return Only(range(0, VOCAB_SIZE + 8, 2))  # a grammar may know more tokens than there are

    def accept(self, token_id: int) -> None:
        self.accepted.append(token_id)

    @property
    def is_complete(self) -> bool:
        return len(self.accepted) == 5


def ask(engine: Engine, seed: int, request: GenerateRequest) -> Session:
    session = engine.open()
    engine.generate(session, tokens(10 + seed, seed), request)
    return session


def test_greedy_output_equals_a_naive_loop_over_the_reference() -> None:
    engine = tiny_engine()
    session = engine.open(prefix=tokens(4, seed=9))
    engine.generate(session, tokens(30), GenerateRequest(max_tokens=12))
    run(engine)
    text = tokens(4, seed=9) + tokens(30)
    for _ in range(12):
        text.append(int(reference_logits(tiny("llama"), text, 4, 12)[-1].argmax()))
    assert session.generated == text[34:]
    assert session.finish_reason == "length"
    assert session.num_seen == 46


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.sampled_from([0.0, 1.0]))
def test_batched_session_matches_session_alone(seeds: list[int], temperature: float) -> None:
    def request(seed: int) -> GenerateRequest:
        return GenerateRequest(max_tokens=8, temperature=temperature, seed=seed)

    together = tiny_engine()
    batch = [ask(together, seed, request(seed)) for seed in seeds]
    run(together)
    for seed, session in zip(seeds, batch, strict=True):
        alone = tiny_engine()
        expected = ask(alone, seed, request(seed))
        run(alone)
        assert session.generated == expected.generated


def test_sampling_depends_on_the_seed() -> None:
    engine = tiny_engine()
    seeds = (1, 1, 2)
    outputs = [
        ask(engine, 0, GenerateRequest(max_tokens=12, temperature=1.5, seed=seed)) for seed in seeds
    ]
    run(engine)
    first, same, other = (session.generated for session in outputs)
    assert first == same != other


def test_draws_follow_the_distribution() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    counts = [0, 0, 0]
    for seed in range(3000):
        request = GenerateRequest(max_tokens=1, temperature=2.0, seed=seed)
        counts[sample(logits, [Generation(request)])[0]] += 1
    expected = (logits[0] / 2.0).softmax(-1) * 3000
    chi_squared = ((torch.tensor(counts) - expected) ** 2 / expected).sum()
    assert chi_squared < 13.8  # 2 degrees of freedom, p = 0.001; the seeds are fixed


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_constraint_is_obeyed_and_ends_the_text(temperature: float) -> None:
    engine = tiny_engine()
    grammar = OnlyEven()
    request = GenerateRequest(max_tokens=50, constraint=grammar, temperature=temperature)
    session = ask(engine, 0, request)
    run(engine)
    assert session.generated == grammar.accepted
    assert len(grammar.accepted) == 5
    assert all(token % 2 == 0 for token in grammar.accepted)
    assert session.finish_reason == "constraint"


def test_stop_token_ends_the_text_and_is_left_out() -> None:
    engine = tiny_engine()
    free = ask(engine, 0, GenerateRequest(max_tokens=10))
    run(engine)
    stop = free.generated[4]
    stopped = ask(engine, 0, GenerateRequest(max_tokens=10, stop=frozenset({stop})))
    run(engine)
    assert stopped.generated == free.generated[: free.generated.index(stop)]
    assert stopped.finish_reason == "stop"


def test_reports_name_what_a_step_did() -> None:
    engine = tiny_engine(num_sinks=1, num_recent=7, max_chunk=8)
    assert engine.step().num_tokens == 0
    feeding, asking = engine.open(), engine.open()
    engine.feed(feeding, tokens(20))
    engine.generate(asking, tokens(8), GenerateRequest(max_tokens=1))
    first = engine.step()
    assert (first.num_tokens, first.num_sessions, first.num_generated) == (16, 2, 1)
    assert (first.finished, first.num_slid_out) == ((asking,), 0)
    assert first.seconds > 0
    second = engine.step()
    assert (second.num_tokens, second.num_slid_out) == (9, 9)
    run(engine)
    assert (feeding.num_slid_out, asking.num_slid_out) == (12, 1)


def test_session_can_go_on_after_its_text() -> None:
    """The last token of the text is computed with what is fed next."""
    engine = tiny_engine()
    session = ask(engine, 0, GenerateRequest(max_tokens=6))
    run(engine)
    engine.generate(session, tokens(3), GenerateRequest(max_tokens=6))
    run(engine)
    first = tiny_engine()
    text = tokens(10) + ask_alone(first, tokens(10), 6) + tokens(3)
    assert session.generated == ask_alone(tiny_engine(), text, 6)


def ask_alone(engine: Engine, prompt: list[int], max_tokens: int) -> list[int]:
    session = engine.open()
    engine.generate(session, prompt, GenerateRequest(max_tokens=max_tokens))
    run(engine)
    return session.generated


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"max_tokens": 1, "temperature": -1.0}])
def test_wrong_request_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="is not valid: use"):
        GenerateRequest(**wrong)  # type: ignore[arg-type]
