"""What a sample asks for, the runtime can give; what is packed, can be told apart again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ops.pretrain.accuracy import restore_accuracy
from ops.pretrain.batches import IGNORED, labels_of, places
from ops.pretrain.corpus import Corpus, Document, Line, Pair, is_held_out, read_corpus
from ops.pretrain.prepare import Sample, pack
from ops.pretrain.restore import MARKS, as_word, restore_samples, runs_of_words
from ops.pretrain.summaries import MAX_SENTENCES, summary_samples
from ops.pretrain.tokenizer import PAD_ID, SINK_ID

TALK = Document(
    "talk",
    "talk",
    (
        Line("Ada", '"Well, is it ready?" said McDuff - or so I\'m told; nobody (else) knows.'),
        Line("Ben", "Yes. The BBC called at 3.5 past ten, twice-nightly, and we said: wait!"),
    ),
)


@given(st.integers(0, 2**32))
def test_a_restore_sample_changes_only_case_and_marks(seed: int) -> None:
    for sample in restore_samples(runs_of_words([TALK]), 3, np.random.default_rng(seed)):
        given_words, wanted = sample.raw.split(), sample.answer.split()
        for raw, word in zip(given_words, wanted, strict=True):
            core = word.rstrip(MARKS)
            assert core.lower() == raw
            assert len(word) - len(core) <= 1
            assert core in (raw, raw[0].upper() + raw[1:], raw.upper())


@pytest.mark.parametrize("token", ["McDuff", "3.5", "(else)", "...", "Mr.LeBlanc", ""])
def test_what_the_runtime_cannot_write_is_not_asked_for(token: str) -> None:
    assert as_word(token) is None


def test_a_long_summary_is_laid_against_the_window_that_shares_its_words() -> None:
    filler = [
        Line("Ada", f"nothing number {i} to report from anywhere around here") for i in range(90)
    ]
    lines = [*filler[:70], Line("Ben", "the lighthouse keeper painted the gate"), *filler[70:]]
    pair = Pair("talk", tuple(lines), "The keeper of the lighthouse painted his gate.")
    (sample,) = summary_samples([pair], np.random.default_rng(0))
    assert any("lighthouse" in line.text for line in sample.passage)
    assert len(sample.passage) < len(lines)


def test_a_short_pair_gives_a_fresh_summary_and_one_that_carries_on() -> None:
    sentences = ["It rained.", "The gate held.", "Nobody slept.", "Ada left.", "Ben stayed."]
    pair = Pair("talk", TALK.lines, " ".join(sentences))
    fresh, carried = summary_samples([pair], np.random.default_rng(0))
    assert (fresh.previous, fresh.answer) == ("", " ".join(sentences[:MAX_SENTENCES]))
    assert carried.previous == "It rained. The gate held."
    assert carried.answer == "Nobody slept. Ada left. Ben stayed."


_BODIES = st.lists(st.lists(st.integers(5, 99), min_size=1, max_size=11), min_size=1, max_size=40)


@given(_BODIES)
def test_packing_keeps_every_sample_whole(bodies: list[list[int]]) -> None:
    samples = [Sample([SINK_ID, *body], [False] + [True] * len(body)) for body in bodies]
    rows = list(pack(samples, 12))
    assert all(len(row.tokens) == len(row.learnt) == 12 for row in rows)
    assert sorted(_samples_in(rows)) == sorted(s.tokens for s in samples)


@given(_BODIES)
def test_a_packed_sample_sees_itself_only_and_counts_from_its_sink(bodies: list[list[int]]) -> None:
    (row, *_) = pack([Sample([SINK_ID, *b], [True] * (len(b) + 1)) for b in bodies], 12)
    positions, may_see = places(torch.tensor([row.tokens]))
    for i in range(12):
        sink = max(j for j in range(i + 1) if row.tokens[j] == SINK_ID)
        assert positions[0, i] == i - sink
        assert may_see[0, 0, i].nonzero().flatten().tolist() == list(range(sink, i + 1))


def test_labels_are_the_next_token_where_it_is_learnt() -> None:
    tokens = torch.tensor([[0, 7, 8, 9]])
    learnt = torch.tensor([[False, False, True, True]])
    assert labels_of(tokens, learnt).tolist() == [[IGNORED, 8, 9, IGNORED]]


def test_a_pair_is_held_out_with_the_text_it_is_about() -> None:
    names = [f"meeting{i}" for i in range(200)]
    corpus = Corpus(
        [Document(name, "talk", TALK.lines) for name in names],
        [Pair(name, TALK.lines, "They met.") for name in names],
    )
    training_set, held_out = corpus.split()
    assert {d.name for d in held_out.documents} == {n for n in names if is_held_out(n)} != set()
    for part in (training_set, held_out):
        assert [p.name for p in part.pairs] == [d.name for d in part.documents]


def test_every_documented_layout_is_read(tmp_path: Path) -> None:
    (tmp_path / "wrapped.txt").write_text("A first line that is\nwrapped in the mid-\ndle.\n\nTwo.")
    _write_rows(tmp_path / "m1.jsonl", [{"speaker": "Ada", "text": "One."}, {"text": "Two."}])
    _write_rows(
        tmp_path / "pairs.jsonl",
        [
            {"dialogue": "Ada: Hello.\nBen: Yes?", "summary": "They greet."},
            {
                "document": "Once.",
                "questions": json.dumps([{"question": "?", "summaries": ["S."]}]),
            },
            {"meeting": "m1", "query": "?", "summary": "Two was said.", "turns": [["1", "1"]]},
        ],
    )
    corpus = read_corpus(tmp_path)
    by_name = {d.name: d for d in corpus.documents}
    assert [x.text for x in by_name["wrapped"].lines] == [
        "A first line that is wrapped in the middle.",
        "Two.",
    ]
    assert by_name["m1"].lines == (Line("Ada", "One."), Line(None, "Two."))
    assert [(p.passage, p.summary) for p in corpus.pairs] == [
        ((Line("Ada", "Hello."), Line("Ben", "Yes?")), "They greet."),
        ((Line(None, "Once."),), "S."),
        ((Line(None, "Two."),), "Two was said."),
    ]


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no"):
        read_corpus(tmp_path)


def test_accuracy_counts_marks_and_capitals() -> None:
    figures = restore_accuracy([("Well, is it? Yes.", "Well is it. yes.")])
    assert figures["num_words"] == 4
    assert figures["punctuation_f1"] == 0.4
    assert figures["sentence_end_f1"] == 1.0
    assert figures["case_accuracy"] == 0.75


def _samples_in(rows: list[Sample]) -> list[list[int]]:
    found: list[list[int]] = []
    for row in rows:
        for token in row.tokens:
            if token == SINK_ID:
                found.append([])
            if token != PAD_ID:
                found[-1].append(token)
    return found


def _write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
