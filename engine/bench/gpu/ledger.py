"""Keeps what was measured: each result is printed, and written to the file, as soon as it is there.

So a run that is killed has lost only the case that it was in, and a case that goes wrong costs no
other.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from engine.bench.gpu.aims import aims_of
from engine.bench.gpu.card import free_memory
from engine.bench.gpu.decoding import NoRoom
from engine.bench.gpu.table import SECTIONS, line
from engine.bench.json_line import summary_line
from engine.bench.machine import Machine
from engine.bench.progress import stage


class Ledger:
    """results    by section (table.py), in the order in which they came
    left_out      cases that did not fit in memory or in time, and why
    failed        cases that went wrong, and how
    paths         by which ways each model computed
    """

    def __init__(
        self,
        machine: Machine,
        facts: Mapping[str, Any],
        *,
        started: float,
        last_start_seconds: float,
        json_path: Path | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.results: dict[str, list[Any]] = {}
        self.left_out: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.paths: dict[str, str] = {}
        self._machine = machine
        self._facts = facts
        self._last_start_seconds = last_start_seconds
        self._json_path = json_path
        self._clock = clock
        self._started = started
        self._section = ""

    def measure(self, section: str, name: str, work: Callable[[], Any]) -> bool:
        """Add what `work` returns to `section`; False if it could not be measured."""
        return self.attempt(f"{section}: {name}", partial(self._measure, section, name, work))

    def attempt(self, case: str, work: Callable[[], None]) -> bool:
        """Do `work`, if there is time and memory for it; False if there was not or it failed."""
        if self._clock() - self._started > self._last_start_seconds:
            self._leave_out(case, "there was no time left for it")
            return False
        try:
            free_memory()
            work()
        except (NoRoom, torch.OutOfMemoryError) as error:
            self._leave_out(case, f"no room: {_first_line(error)}")
            return False
        except Exception as error:  # whatever it is, the others are still to be measured
            traceback.print_exc()
            self._fail(case, f"{type(error).__name__}: {_first_line(error)}")
            return False
        return True

    def add(self, section: str, name: str, result: Any) -> None:
        self.results.setdefault(section, []).append(result)
        if section != self._section:
            self._section = section
            self._print(f"\n{SECTIONS[section].title}\n{line('', SECTIONS[section].columns)}")
        self._print(line(name, SECTIONS[section].cells_of(result)))

    def note_paths(self, model: str, paths: str) -> None:
        self.paths[model] = paths
        self._print(f"\n{model}: {paths}")
        self._section = ""  # so that the next line has its heading again

    def _measure(self, section: str, name: str, work: Callable[[], Any]) -> None:
        with stage(f"{section}: {name}", 1):
            result = work()
        self.add(section, name, result)

    def _leave_out(self, case: str, why: str) -> None:
        self.left_out[case] = why
        self._print(f"{case}: left out, {why}")

    def _fail(self, case: str, how: str) -> None:
        self.failed[case] = how
        self._print(f"{case}: FAILED, {how}")

    def _print(self, text: str) -> None:
        """Whatever is printed has changed what there is to write."""
        print(text, flush=True)
        if self._json_path is not None:
            part = self._json_path.with_name(f".{self._json_path.name}.part")
            part.write_text(self.summary() + "\n", encoding="utf-8")
            part.replace(self._json_path)

    def summary(self) -> str:
        """All of it as one JSON object, on one line."""
        return summary_line(
            "weir gpu",
            self._machine,
            self._clock() - self._started,
            self.results,
            aims_of(self.results),
            **self._facts,
            left_out=self.left_out,
            failed=self.failed,
            paths=self.paths,
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
