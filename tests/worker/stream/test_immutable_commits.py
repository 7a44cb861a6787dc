"""What goes into a checkpoint is a value: whatever its owner does next, it stays what it was."""

from __future__ import annotations

import pytest
from redis import Redis

from engine.restore.spelling import letters
from tests.worker.workbench import (
    KEYS,
    STREAM,
    HeldRestorer,
    Workbench,
    column,
    outputs,
)
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Output
from worker.keyspace.frozen import plain
from worker.settings.config import Settings

# A recogniser that adds a word each time, in two segments; the last of each is final.
WORDS = ["the", "gate", "at", "carrow", "bridge", "sticks", "when", "water", "comes", "down"]
HYPOTHESES = [
    {"text": " ".join(said[:num]), "final": str(int(num == len(said))), "segment": segment}
    for segment, said in (("1", WORDS[:5]), ("2", WORDS[5:]))
    for num in range(1, len(said) + 1)
]

SETTINGS = {"summary_seconds": 1.0}


@pytest.mark.parametrize("num_written", range(len(HYPOTHESES)))
def test_a_commit_made_while_an_entry_is_being_written_holds_no_word_of_it(
    redis: Redis, redis_text: Redis, small: Settings, num_written: int
) -> None:
    """A summary is committed meanwhile, and then the owner dies."""
    redis.xadd(STREAM, {"text": "Good morning."})
    for fields in HYPOTHESES[:num_written]:
        redis.xadd(STREAM, fields)
    restorer = HeldRestorer()
    bench = Workbench.owning(small, restorer=restorer)
    restorer.is_held = True
    for fields in HYPOTHESES[num_written:]:
        redis.xadd(STREAM, fields)
    bench.run(5)
    before = Checkpoint.load(redis, STREAM).num_commits
    bench.now += 2
    bench.run(until=lambda: Checkpoint.load(redis, STREAM).num_commits > before)
    redis.delete(KEYS.lease)
    redis.xadd(STREAM, {"end_of_stream": "1"})
    Workbench(small, restorer=HeldRestorer()).run_to_end()
    told = " ".join(column(outputs(redis_text, KEYS.transcript)[1:], "text"))
    assert letters(told).lower().split() == WORDS


def test_a_checkpoint_shares_nothing_that_can_be_changed() -> None:
    inner = ["a"]
    views = {"transcript": {"words": inner}}
    checkpoint = Checkpoint(views=views)
    inner.append("b")
    views["transcript"]["more"] = inner
    assert plain(checkpoint.views) == {"transcript": {"words": ["a"]}}
    plain(checkpoint.views)["transcript"]["words"].append("c")
    assert checkpoint.views["transcript"]["words"] == ("a",)
    for change in (
        lambda: checkpoint.views.__setitem__("transcript", {}),  # type: ignore[attr-defined]
        lambda: checkpoint.views["transcript"]["words"].append("c"),
        lambda: checkpoint.views["transcript"].update(words=[]),
    ):
        with pytest.raises(AttributeError):
            change()


def test_an_output_is_what_it_was_when_it_was_made() -> None:
    fields = {"text": "one"}
    output = Output("key", fields)
    fields["text"] = "two"
    assert dict(output.fields) == {"text": "one"}
    with pytest.raises(TypeError):
        output.fields["text"] = "three"  # type: ignore[index]
