"""The image installs what was tested together, all of it, and no file but those of the lock."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "ops" / "lock"
FILES = ("requirements.txt", "torch-cpu.txt", "torch-cuda.txt")
ENVIRONMENT = {
    "python_version": "3.11",
    "python_full_version": "3.11.15",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "extra": "",
}


def locked(*files: str) -> dict[str, Version]:
    """Names and versions; each line must have a hash."""
    found: dict[str, Version] = {}
    for file in files:
        text = (LOCK / file).read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if line.startswith(("#", "--index-url")):
                continue
            pinned = re.fullmatch(r"([\w.-]+)==(\S+)((?: +--hash=sha256:[0-9a-f]{64})+)\s*", line)
            assert pinned, f"{file}: {line}"
            name = canonicalize_name(pinned[1])
            assert name not in found, f"{file}: {name} twice"
            found[name] = Version(pinned[2])
    return found


def constraints() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.partition(";")[0].split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): Version(number.strip()) for name, number in pinned}


def needed() -> list[Requirement]:
    """What Weir needs itself, and for quantised weights."""
    found = [Requirement(line) for line in requires("weir") or []]
    return [one for one in found if str(one.marker or "") in ("", 'extra == "quantized"')]


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_named_by_version_and_hash(file: str) -> None:
    assert locked(file)


@pytest.mark.parametrize("torch", ["torch-cpu.txt", "torch-cuda.txt"])
def test_all_that_weir_needs_is_there_in_the_tested_version(torch: str) -> None:
    found, tested = locked("requirements.txt", torch), constraints()
    for requirement in needed():
        name = canonicalize_name(requirement.name)
        assert found[name] in requirement.specifier, name
        if name in tested:  # a build for processors says so behind a +
            assert found[name].base_version == tested[name].base_version, name


def test_all_that_these_need_is_there() -> None:
    """As far as the libraries that the tests run with say it."""
    found = locked("requirements.txt", "torch-cpu.txt")
    for name, number in found.items():
        try:
            here = Version(version(name))
        except PackageNotFoundError:
            continue
        if here.base_version != number.base_version:
            continue
        for line in requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENT):
                other = canonicalize_name(requirement.name)
                assert other in found, f"{name} needs {other}"
                assert found[other].base_version in requirement.specifier, f"{name}: {line}"


def test_the_image_for_processors_has_nothing_for_gpus() -> None:
    names = locked("requirements.txt", "torch-cpu.txt").keys()
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]
