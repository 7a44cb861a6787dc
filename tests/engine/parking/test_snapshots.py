"""Saved, loaded in a fresh process, continued: as if never stopped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import EngineError, SnapshotError
from engine.model.load import load, load_weights
from engine.model.model import StreamingModel
from engine.parking import snapshot
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session
from engine.weights.int8_linear import multiplies_int8
from tests.engine.streams import run, tiny_engine, tokens
from tests.engine.weights.int8_products import needs_products
from tests.forks import PYTHON

CONFIG = {"num_sinks": 2, "num_recent": 14, "num_rows": 3, "max_chunk": 8, "num_threads": 1}
INT8 = {"kv_dtype": "int8", "weight_dtype": "int8"}
NUMBERS = {"as computed": {}, "int8": INT8, "all int8": {**INT8, "compute_dtype": "int8"}}
ROOT = Path(__file__).parents[3]
CONTINUE = """
import sys
from pathlib import Path
from engine import Engine, EngineConfig
from tests.engine.parking.test_snapshots import CONFIG, NUMBERS, go_on
for name in sys.argv[3:]:
    folder = Path(sys.argv[2]) / name
    engine = Engine.load(EngineConfig(sys.argv[1], **CONFIG, **NUMBERS[name]))
    go_on(engine, engine.restore(folder / "saved"), folder / "continued")
"""


def go_on(engine: Engine, session: Session, result: str | Path) -> None:
    """Feed, generate, feed; the saved row tells every bit of it."""
    engine.feed(session, tokens(21, seed=4))
    run(engine)
    engine.generate(session, tokens(5, seed=5), GenerateRequest(max_tokens=9))
    run(engine)
    engine.feed(session, session.generated)
    run(engine)
    engine.save(session, result)


def saved_and_continued(model: Path, folder: Path, numbers: str) -> None:
    engine = Engine.load(EngineConfig(str(model), **CONFIG, **NUMBERS[numbers]))
    session = engine.open(start=2**40)
    engine.feed(session, tokens(50))
    run(engine)
    engine.save(session, folder / "saved")
    go_on(engine, session, folder / "never-stopped")


@pytest.fixture(scope="module")
def continued(model_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of NUMBERS that this processor has; one process continues all of them."""
    root = tmp_path_factory.mktemp("sessions")
    names = [name for name in NUMBERS if name != "all int8" or multiplies_int8("cpu")]
    for name in names:
        (root / name).mkdir()
        saved_and_continued(model_directory, root / name, name)
    subprocess.run(
        [*PYTHON, "-c", CONTINUE, str(model_directory), str(root), *names],
        check=True,
        cwd=ROOT,
        timeout=100,
    )
    return root


@pytest.mark.parametrize(
    "numbers", ["as computed", "int8", pytest.param("all int8", marks=needs_products)]
)
def test_session_continued_in_a_fresh_process_is_bit_identical(
    numbers: str, continued: Path
) -> None:
    folder = continued / numbers
    assert contents(folder / "continued") == contents(folder / "never-stopped")


def contents(path: Path) -> dict[str, object]:
    """Counters and the bits of every tensor; the order in the file means nothing."""
    with safe_open(path, "pt") as file:
        bits = {name: file.get_tensor(name).numpy().tobytes() for name in sorted(file.keys())}
        return {**file.metadata(), **bits}


def saved_session(directory: Path, num_tokens: int = 50) -> Path:
    engine = tiny_engine()
    session = engine.open(prefix=tokens(4), start=7)
    engine.feed(session, tokens(num_tokens))
    run(engine)
    engine.save(session, directory / "saved")
    return directory / "saved"


def test_restored_session_has_the_same_counters(tmp_path: Path) -> None:
    restored = tiny_engine().restore(saved_session(tmp_path))
    assert (restored.num_computed, restored.num_seen, restored.window_fill) == (61, 61, 16)
    assert restored.num_slid_out == 54 - 16


def test_snapshot_holds_the_filled_slots_and_nothing_else(tmp_path: Path) -> None:
    tensors = load_file(saved_session(tmp_path, num_tokens=3))
    assert {tuple(tensor.shape) for tensor in tensors.values()} == {(2, 7, 8)}
    assert sorted(tensors) == ["keys.0", "keys.1", "values.0", "values.1"]


def test_half_filled_snapshot_goes_on_in_a_row_that_was_used_before(tmp_path: Path) -> None:
    path = saved_session(tmp_path, num_tokens=3)
    clean, used = tiny_engine(num_rows=1), tiny_engine(num_rows=1)
    before = used.open()
    used.feed(before, tokens(40, seed=8))
    run(used)
    used.close(before)
    texts = []
    for engine in (clean, used):
        session = engine.restore(path)
        engine.generate(session, tokens(2), GenerateRequest(max_tokens=20))
        run(engine)
        texts.append(session.generated)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_torn_snapshot_is_refused(tmp_path: Path, keep: int) -> None:
    path = saved_session(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    engine = tiny_engine()
    with pytest.raises(SnapshotError, match="torn"):
        engine.restore(path)
    engine.check_integrity()


def test_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = saved_session(tmp_path)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="checksum"):
        tiny_engine().restore(path)


def test_snapshot_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="another model"):
        tiny_engine("mistral").restore(saved_session(tmp_path))


def test_snapshot_of_rows_in_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="another number format"):
        tiny_engine(kv_dtype="int8").restore(saved_session(tmp_path))


def test_snapshot_of_another_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="window of 16 tokens, not 17"):
        tiny_engine(num_recent=15).restore(saved_session(tmp_path))


def test_snapshot_of_a_window_that_moves_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="discards 1 tokens at a time, not 7"):
        tiny_engine(num_discard=-1).restore(saved_session(tmp_path))


def test_missing_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="cannot be read"):
        tiny_engine().restore(tmp_path / "nothing")


def test_session_with_pending_tokens_is_not_saved(tmp_path: Path) -> None:
    engine = tiny_engine()
    session = engine.open()
    engine.feed(session, tokens(3))
    with pytest.raises(EngineError, match="nothing pending"):
        engine.save(session, tmp_path / "saved")


def test_failed_save_leaves_the_old_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved_session(tmp_path)
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(snapshot.os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        saved_session(tmp_path, num_tokens=20)
    assert path.read_bytes() == before


def test_fingerprint_tells_weights_apart_and_not_where_they_came_from(
    model_directory: Path, tmp_path: Path
) -> None:
    weights = load_weights(EngineConfig(str(model_directory)))
    weights.save_pretrained(tmp_path / "moved")
    known = load(EngineConfig(str(model_directory))).fingerprint
    assert load(EngineConfig(str(tmp_path / "moved"))).fingerprint == known
    with torch.no_grad():
        weights.get_input_embeddings().weight[0, 0] += 1
    assert StreamingModel(weights).fingerprint != known
