"""Every alert, fired and cleared: `python -m ops.alerts_check`.

A real server, the real exporter, Prometheus and Alertmanager with the rules and the routes that are
deployed; faults are caused on purpose, and somebody is there to be told. Time goes sixty times as
fast: all durations of the rules are divided. Only the worker is none: what a worker would notice is
told to its real metrics.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import yaml

from ops.alerts_scene import ROOT, Scene, Somebody, scene

PATIENCE_SECONDS = 240.0
Action = Callable[[], object]


def until(what: str, condition: Callable[[], bool], scene: Scene) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        scene.check()
        if time.monotonic() > deadline:
            late = f"{what}: not within {PATIENCE_SECONDS:g} s"
            sys.exit(f"alerts-check: {late}; firing: {scene.firing()}; told: {Somebody.told}")
        time.sleep(0.25)


def act(scene: Scene, alerts: set[str], heard: set[str], harm: Action, mend: Action) -> None:
    """Each fires after the harm, and none does after it was mended; those that are `heard` reach
    somebody both times."""
    fired: set[str] = set()

    def all_fire() -> bool:
        fired.update(scene.firing())
        return alerts <= fired and heard <= Somebody.of("firing")

    def all_are_clear() -> bool:
        return not alerts & scene.firing() and heard <= Somebody.of("resolved")

    began = time.monotonic()
    harm()
    until(f"{alerts} fire", all_fire, scene)
    took = time.monotonic() - began
    scene.look_at_panels()
    mend()
    began = time.monotonic()
    until(f"{alerts} clear", all_are_clear, scene)
    cleared = time.monotonic() - began
    names = ", ".join(sorted(alerts))
    print(f"fired in {took:.0f} s, cleared in {cleared:.0f} s: {names}", flush=True)


def stuck(scene: Scene) -> None:
    scene.age_seconds = 600.0


def main() -> None:
    rules = yaml.safe_load((ROOT / "ops/prometheus/rules.yml").read_text())["groups"][0]["rules"]
    severity = {rule["alert"]: rule["labels"]["severity"] for rule in rules}
    with scene() as on:
        acts: list[tuple[set[str], Action, Action]] = [
            ({"WeirEngineLoading"}, lambda: None, on.metrics.engine_loaded),
            ({"WeirEngineStuck"}, partial(stuck, on), lambda: setattr(on, "age_seconds", 0.0)),
            ({"WeirWorkerRestarting"}, on.restart_worker, lambda: None),
            (
                {"WeirLeasesLost", "WeirSessionsLost", "WeirEntriesRejected"},
                on.tell_worker,
                lambda: None,
            ),
            (
                {"WeirLagGrowing", "WeirStreamsWaiting", "WeirStreamsFailing", "WeirStreamsBroken"}
                | {"WeirRedisMemory", "WeirRedisNotOnDisk"},
                on.harm_streams,
                on.mend_streams,
            ),
            ({"WeirRedisEvicts"}, on.evict, on.keep_again),
            ({"WeirMemoryNotLevel"}, partial(on.memory, 2000), lambda: None),
            ({"WeirRedisAway"}, on.server.kill, on.server.start),
            ({"WeirExporterDown"}, lambda: on.exporter.close(), on.open_exporter),
            ({"WeirWorkerDown", "WeirNoWorker"}, lambda: on.worker.close(), on.open_worker),
        ]
        # While no worker runs nobody needs to hear that one is down: that is inhibited.
        heard = {alert for alert, how in severity.items() if how != "info"} - {"WeirWorkerDown"}
        for alerts, harm, mend in acts:
            act(on, alerts, alerts & heard, harm, mend)
        played = set().union(*(alerts for alerts, _, _ in acts))
        if played != set(severity):
            sys.exit(f"alerts-check: never caused: {set(severity) - played}")
        if on.unanswered:
            sys.exit(f"alerts-check: these queries of panels found nothing: {on.unanswered}")
    print(f"{len(played)} alerts fired and cleared; somebody heard of {len(heard)}, both times")
    print("every panel of the dashboard had something to show")


if __name__ == "__main__":
    main()
