"""Several processes may park in one folder: each clears up after the dead and nobody else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.parking.folder import ParkFolder

LIVE = """
import sys
from pathlib import Path
from engine.parking.folder import ParkFolder
folder = ParkFolder(Path(sys.argv[1]))
(folder.path / "parked").write_bytes(b"1")
print(folder.path, flush=True)
sys.stdin.read()
"""


def start(shared: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(shared)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def names(shared: Path) -> set[str]:
    return {path.name for path in shared.iterdir()}


def test_what_a_killed_process_left_is_removed_and_a_living_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    (dead, dead_path), (living, living_path) = start(tmp_path), start(tmp_path)
    with dead, living:
        dead.kill()
        dead.wait()
        assert (dead_path / "parked").exists()
        mine = ParkFolder(tmp_path)
        assert not dead_path.exists()
        assert (living_path / "parked").exists()
        stems = {mine.path.name, living_path.name}
        assert names(tmp_path) == stems | {f"{stem}.lock" for stem in stems}
        living.communicate("")
    assert not living_path.exists(), "an orderly end removes its own"


def test_two_in_one_process_are_two(tmp_path: Path) -> None:
    one = ParkFolder(tmp_path)
    other = ParkFolder(tmp_path)
    assert one.path != other.path
    assert one.path.is_dir()
    path = one.path
    del one
    assert not path.exists()
    assert other.path.is_dir()


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine").write_text("mine")
    (tmp_path / "README").write_text("mine")
    ParkFolder(tmp_path)
    assert names(tmp_path) == {"notes", "README"}


def test_a_place_that_cannot_be_a_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        ParkFolder(tmp_path / "file" / "park")


@pytest.mark.parametrize("what", ["all of it", "the folder", "the lock"])
def test_what_somebody_removed_is_made_again_and_is_nobody_elses(tmp_path: Path, what: str) -> None:
    shared = tmp_path / "parked"
    mine = ParkFolder(shared)
    if what == "all of it":
        shutil.rmtree(shared)
    elif what == "the folder":
        mine.path.rmdir()
    else:
        mine.path.with_suffix(".lock").unlink()
    assert mine.require() == mine.path
    (mine.path / "parked").write_bytes(b"1")
    other = ParkFolder(shared)
    assert (mine.path / "parked").exists(), "whoever comes sees that its process lives"
    assert names(shared) >= {mine.path.name, f"{mine.path.name}.lock", other.path.name}
