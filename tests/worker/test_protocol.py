"""The promise, for any sequence of events: what is in the input at last is told once, in order.

Workers die before and after any command and in any step, stand still while others take over, and go
on believing that they own what they do not; the server is put back to what it was, input and all;
the input is deleted and made anew. The oracle is what was put in: it knows no rule of ours.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from tests.worker.mortal_worker import Death, MortalWorker
from tests.worker.workbench import (
    END_SECONDS,
    KEYS,
    STREAM,
    assert_tiled,
    column,
    outputs,
    settings_for,
)
from worker.keyspace import registry
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.requests import request
from worker.settings.config import Settings

NUM_WORKERS = 2
PROMPTS = {"todo": "What is to be done?", "who": "Who speaks?"}
MAX_ROUNDS = 40


@dataclass
class Said:
    """What the server has been given and has not lost. words: of each entry, a list for each input
    that has had the name; only the last one is still there."""

    words: list[list[list[str]]] = field(default_factory=lambda: [[]])
    questions: list[str] = field(default_factory=list)
    num_lost: int = 0  # times that entries went with the server, or with their stream


class ProtocolMachine(RuleBasedStateMachine):
    server: EmbeddedServer

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.redis = Redis.from_url(self.server.url, protocol=2)
        self.text = Redis.from_url(self.server.url, protocol=2, decode_responses=True)
        self.redis.flushall()
        self.said = Said()
        self.num_words = self.num_questions = 0
        self.copies: list[tuple[Said, dict[bytes, bytes]]] = []
        self.workers = [self.new_worker() for _ in range(NUM_WORKERS)]
        self.publish(num=2, is_raw=False)

    @property
    def settings(self) -> Settings:
        return settings_for(
            self.server.url,
            Path(self.folder.name),
            model="bundled",
            num_recent=90,
            summary_tokens=25,
            summary_seconds=30.0,
            summary_max_tokens=4,
            summary_style="free",
            snapshot_seconds=2.0,
            block_seconds=0.001,
            restore="off",
            max_chunk=16,
            prompts=PROMPTS,
        )

    def new_worker(self) -> MortalWorker:
        return MortalWorker(self.settings, self.server.port)

    # ---- what publishers do

    @rule(num=st.integers(1, 6), is_raw=st.booleans())
    def publish(self, num: int, is_raw: bool) -> None:
        for _ in range(num):
            words = [f"{'w' if is_raw else 'W'}{self.num_words + n}" for n in range(6)]
            self.num_words += len(words)
            self.redis.xadd(STREAM, {"text": " ".join(words)})
            self.said.words[-1].append([word.lower() for word in words])

    @rule()
    def ask(self) -> None:
        self.num_questions += 1
        name = f"question{self.num_questions}"
        request(self.redis, STREAM, "ask", question="Who sticks?", id=name)
        self.said.questions.append(name)

    @rule()
    def flush(self) -> None:
        request(self.redis, STREAM, "flush")

    @rule(is_published=st.booleans())
    def delete(self, is_published: bool) -> None:
        self.redis.delete(STREAM)
        self.said.words.append([])
        self.said.num_lost += 1
        if is_published:
            self.publish(num=2, is_raw=True)

    # ---- what workers do

    @rule(which=st.integers(0, NUM_WORKERS - 1), num=st.integers(1, 30), slow=st.booleans())
    def run(self, which: int, num: int, slow: bool) -> None:
        worker = self.workers[which]
        worker.pipeline.adopt(STREAM)
        worker.run(num, seconds=0.4 if slow else 0.0)

    @rule(which=st.integers(0, NUM_WORKERS - 1), moment=st.integers(1, 250))
    def die(self, which: int, moment: int) -> None:
        worker = self.workers[which]
        worker.pipeline.adopt(STREAM)
        worker.fate.num_left = moment
        with suppress(Death):
            worker.run(40, seconds=0.1)
        self.workers[which] = self.new_worker()
        self.run_out()

    @rule(which=st.integers(0, NUM_WORKERS - 1))
    def end(self, which: int) -> None:
        self.workers[which].pipeline.close(END_SECONDS)
        self.workers[which] = self.new_worker()

    @rule()
    def run_out(self) -> None:
        """Of time: the owner stands still for longer than a lease."""
        self.redis.delete(KEYS.lease)

    # ---- what servers do

    @rule()
    def copy(self) -> None:
        dumps = {key: self.redis.dump(key) for key in self.redis.keys("*")}
        self.copies.append((deepcopy(self.said), dumps))

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        said, dumps = data.draw(st.sampled_from(self.copies))
        num_lost = self.said.num_lost + 1
        self.said = deepcopy(said)
        self.said.num_lost = num_lost
        self.redis.flushall()
        for key, dump in dumps.items():
            self.redis.restore(key, 10_000 if key.endswith(b":lease") else 0, dump)

    # ---- what must be true at the end

    def teardown(self) -> None:
        if not hasattr(self, "said"):
            return
        try:
            self.run_to_the_end()
            self.check()
        finally:
            for client in (self.redis, self.text):
                client.close()
            self.folder.cleanup()

    def run_to_the_end(self) -> None:
        """Both go on, also the one that is not the owner, and a reconciler looks for streams."""
        self.publish(num=1, is_raw=True)
        self.redis.xadd(STREAM, {"end_of_stream": "1"})
        for number in range(MAX_ROUNDS):
            if number % 10 == 0:  # whoever has it is left in peace for long enough to answer
                self.redis.delete(KEYS.lease)
            is_owned = any(worker.pipeline.owned.streams for worker in self.workers)
            if not is_owned and not registry.look(self.redis, ["live:*"]).unowned:
                return
            for worker in self.workers:
                worker.pipeline.adopt(STREAM)
                worker.run(10, seconds=0.5)
        raise AssertionError(f"it does not end: {self.text.hgetall(KEYS.state)}")

    def check(self) -> None:
        lines = [line for line in outputs(self.text, KEYS.transcript) if line["text"]]
        told = [word.lower() for line in lines for word in line["text"].split()]
        *deleted, last = [[w for entry in life for w in entry] for life in self.said.words]
        for life in deleted:  # as far as it was told when somebody deleted it
            told_of_it = [word for word in told if word in set(life)]
            assert told_of_it == life[: len(told_of_it)]
            assert told[: len(told_of_it)] == told_of_it
            told = told[len(told_of_it) :]
        assert told == last
        summaries = outputs(self.text, KEYS.summary)
        assert_tiled(summaries, column(lines, "entry"))
        assert summaries[-1]["final"] == "1"
        answers = column(outputs(self.text, KEYS.answers), "id")
        for name in PROMPTS:
            assert answers.count(name) == sum(s["tokens"] != "0" for s in summaries)
        assert [a for a in answers if a not in PROMPTS] == self.said.questions
        if not self.said.num_lost:
            assert not self.redis.exists(KEYS.rejected)


@pytest.mark.timeout(900)  # on a machine that has other things to do
def test_what_is_in_the_input_at_last_is_told_once_whatever_dies(
    redis_server: EmbeddedServer,
) -> None:
    ProtocolMachine.server = redis_server
    run_state_machine_as_test(
        ProtocolMachine, settings=settings(max_examples=100, stateful_step_count=20)
    )
