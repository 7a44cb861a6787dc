"""Decoding: what comes out is what the definition says, whoever else is in the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from engine.engine import Engine
from engine.errors import ConfigError
from engine.model.sampler import sample
from engine.schedule.generation import GenerateRequest, Generation, Only, Sampling
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
        return GenerateRequest(max_tokens=8, sampling=Sampling(temperature=temperature), seed=seed)

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
        ask(
            engine, 0, GenerateRequest(max_tokens=12, sampling=Sampling(temperature=1.5), seed=seed)
        )
        for seed in seeds
    ]
    run(engine)
    first, same, other = (session.generated for session in outputs)
    assert first == same != other


def test_draws_follow_the_distribution() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    counts = [0, 0, 0]
    for seed in range(3000):
        request = GenerateRequest(max_tokens=1, sampling=Sampling(temperature=2.0), seed=seed)
        counts[sample(logits, [Generation(request)])[0]] += 1
    expected = (logits[0] / 2.0).softmax(-1) * 3000
    chi_squared = ((torch.tensor(counts) - expected) ** 2 / expected).sum()
    assert chi_squared < 13.8  # 2 degrees of freedom, p = 0.001; the seeds are fixed


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_constraint_is_obeyed_and_ends_the_text(temperature: float) -> None:
    engine = tiny_engine()
    grammar = OnlyEven()
    request = GenerateRequest(
        max_tokens=50, constraint=grammar, sampling=Sampling(temperature=temperature)
    )
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


WRONG_SAMPLINGS = [
    *({"temperature": value} for value in (-1.0, float("nan"), float("inf"))),
    *({"top_p": value} for value in (0.0, 1.5, float("nan"))),
    *({"min_p": value} for value in (-0.1, 1.5)),
    *({"repetition_penalty": value} for value in (0.0, float("inf"))),
    {"top_k": -1},
]


@pytest.mark.parametrize("wrong", WRONG_SAMPLINGS, ids=str)
def test_a_wrong_sampling_is_refused_by_name(wrong: dict[str, float]) -> None:
    [name] = wrong
    with pytest.raises(ConfigError, match=f"^{name}="):
        Sampling(**wrong)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 9),
    temperature=st.floats(0.1, 4),
    top_k=st.integers(0, VOCAB_SIZE + 2),
    top_p=st.floats(0.01, 1),
    min_p=st.floats(0, 1),
    penalty=st.floats(0.5, 3),
    said=st.lists(st.integers(0, VOCAB_SIZE - 1), max_size=6),
)
def test_what_can_be_drawn_is_what_transformers_own_processors_leave(
    seed: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    penalty: float,
    said: list[int],
) -> None:
    logits = 3 * torch.randn(1, VOCAB_SIZE, generator=torch.Generator().manual_seed(seed))
    theirs = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([said or [0]]), logits.clone())
    theirs = TemperatureLogitsWarper(temperature)(None, theirs if said else logits)
    theirs = TopKLogitsWarper(top_k)(None, theirs) if top_k else theirs
    theirs = TopPLogitsWarper(top_p)(None, theirs) if top_p < 1 else theirs
    theirs = MinPLogitsWarper(min_p)(None, theirs) if min_p else theirs
    can_be = {int(id) for id in theirs[0].isfinite().nonzero()}
    sampling = Sampling(temperature, top_k, top_p, min_p, penalty)
    drawn = set()
    for number in range(40):
        generation = Generation(GenerateRequest(99, sampling=sampling, seed=number))
        for token_id in said:
            generation.accept(token_id)
        drawn |= set(sample(logits, [generation]))
    assert drawn <= can_be
    if len(can_be) == 1:
        assert drawn == can_be


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}])
def test_wrong_request_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="is not valid: use"):
        GenerateRequest(**wrong)  # type: ignore[arg-type]
