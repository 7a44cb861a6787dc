"""Asks pip what it would install in the image, for each kind of processor, and writes that down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import requires
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
MACHINES = ("x86_64", "aarch64")
PYTHON, GLIBC = "3.11", (2, 36)  # of the image: python:3.11-slim-bookworm
HEAD = "# What the image installs: written by `python -m ops.lock`, from constraints.txt.\n"

Hashes = dict[str, set[str]]
"""By `name==version`, of each file that one of the machines installs."""


def libraries() -> list[str]:
    """All that Weir runs on, as it says itself, and what quantised weights need."""
    lines = [line.partition(";") for line in requires("weir") or []]
    return [line for line, _, when in lines if "extra" not in when or '"quantized"' in when]


def torch_with_cuda() -> list[str]:
    """=== takes the build without a name of its own: what Linux gets from the default index."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line.replace("==", "===") for line in lines if line.startswith("torch==")]


def resolved(requirements: list[str], machine: str) -> Hashes:
    """What pip finds for `machine` in its index. Nothing is installed, and no file of ours used."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(5, GLIBC[1] + 1)]
    platforms += [f"manylinux{year}_{machine}" for year in ("1", "2010", "2014")]
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-input"]
        command += ["--ignore-installed", "--target", folder, "--only-binary=:all:"]
        command += ["--python-version", PYTHON, "--implementation", "cp", "--report", str(report)]
        command += [word for name in platforms for word in ("--platform", name)]
        command += ["-c", str(ROOT / "constraints.txt"), *requirements]
        subprocess.run(command, check=True, env={**os.environ, "PIP_FIND_LINKS": ""})  # noqa: S603
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        f"{item['metadata']['name']}=={item['metadata']['version']}": {
            item["download_info"]["archive_info"]["hashes"]["sha256"]
        }
        for item in found
    }


def on_all_machines(requirements: list[str]) -> Hashes:
    together: Hashes = defaultdict(set)
    for machine in MACHINES:
        for name, hashes in resolved(requirements, machine).items():
            together[name] |= hashes
    return together


def lines(found: Hashes) -> str:
    hashed = {
        name: [name, *(f"    --hash=sha256:{one}" for one in sorted(hashes))]
        for name, hashes in found.items()
    }
    return "".join(" \\\n".join(hashed[name]) + "\n" for name in sorted(hashed, key=str.lower))


def main() -> None:
    everything, cuda = on_all_machines(libraries()), on_all_machines(torch_with_cuda())
    of_torch = {name for name in cuda if name.startswith(("torch==", "triton==", "nvidia", "cuda"))}
    others = {name: hashes for name, hashes in everything.items() if name not in of_torch}
    (FOLDER / "requirements.txt").write_text(HEAD + lines(others), encoding="utf-8")
    cuda = {name: cuda[name] for name in of_torch}
    (FOLDER / "torch-cuda.txt").write_text(HEAD + lines(cuda), encoding="utf-8")
    print("torch-cpu.txt is written by hand: its files are in the index of PyTorch's own")


if __name__ == "__main__":
    main()
