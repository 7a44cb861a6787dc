"""The deployment files against each other and against the code that they deploy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from ops.docs import exported_families
from worker.cli import COMMANDS
from worker.commands import exporter, publish
from worker.settings.config import ENV_PREFIX, Settings
from worker.settings.options import SERVER_SETTINGS, OneLineParser, read_environment
from worker.watch.metrics import Metrics

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
GPU_OVERLAY = ROOT / "docker-compose.gpu.yml"
DOCKERFILE = ROOT / "ops/Dockerfile"
PROMETHEUS = ROOT / "ops/prometheus"
DASHBOARD = ROOT / "ops/grafana/dashboards/weir.json"
PROVISIONING = ROOT / "ops/grafana/provisioning"

FROM_ELSEWHERE = {"up", "ALERTS", "process_start_time_seconds"}
"""Metrics that the files may name and worker/watch/metrics.py does not: Prometheus makes them."""

METRIC = re.compile(r"\b(?:weir|process)_[a-z_]+\b|\bup\b|\bALERTS\b")


def load(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text())
    assert isinstance(document, dict)
    return document


def overlay_worker() -> dict[str, Any]:
    worker = load(GPU_OVERLAY)["services"]["worker"]
    assert isinstance(worker, dict)
    return worker


def services() -> dict[str, dict[str, Any]]:
    found = load(COMPOSE)["services"]
    assert isinstance(found, dict)
    return found


# ------------------------------------------------------------------ compose


@pytest.mark.parametrize("path", [COMPOSE, GPU_OVERLAY], ids=lambda path: path.name)
def test_compose_files_follow_the_compose_specification(path: Path) -> None:
    command = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    result = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_ports_are_published_on_this_machine_only() -> None:
    ports = {name: s["ports"] for name, s in services().items() if "ports" in s}
    assert set(ports) == {"redis", "prometheus", "alertmanager", "grafana"}
    for name, published in ports.items():
        assert all(str(port).startswith("127.0.0.1:") for port in published), name


def test_workers_can_be_scaled() -> None:
    worker = services()["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker


def test_every_image_is_pinned() -> None:
    for name, service in services().items():
        _, _, tag = service["image"].partition(":")
        assert re.match(r"v?\d+\.\d+\.\d+", tag), f"{name}: {service['image']}"


def test_every_service_that_stays_up_is_checked_restarted_and_confined() -> None:
    for name, service in services().items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        if "profiles" not in service:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name


def test_a_worker_has_time_to_stop() -> None:
    grace = services()["worker"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings.model_fields["stop_seconds"].default


def test_the_only_environment_of_a_worker_is_what_settings_know() -> None:
    overlay = load(GPU_OVERLAY)["services"]["worker"]["environment"]
    names = {*services()["worker"]["environment"], *overlay}
    known = {ENV_PREFIX + field.upper() for field in Settings.model_fields}
    assert names - known == {"HF_TOKEN"}


def test_every_setting_reaches_a_worker() -> None:
    """But for the password itself, a secret's file, and those of servers that are not there."""
    every = {ENV_PREFIX + field.upper() for field in Settings.model_fields}
    ours = set(services()["worker"]["environment"])
    others = {name for name in every if re.match("WEIR_(SENTINEL|BROKER)_PASSWORD", name)}
    assert every - ours - others == {"WEIR_REDIS_PASSWORD"}


def test_the_server_is_full_before_its_container_is() -> None:
    """With room for clients, and for what changes while the append-only file is rewritten."""
    config = (ROOT / "ops/valkey/valkey.conf").read_text()
    [most] = re.findall(r"^maxmemory (\d+)mb$", config, re.M)
    limit = services()["redis"]["deploy"]["resources"]["limits"]["memory"]
    assert int(most) * 2**20 <= 0.7 * int(limit.removesuffix("G")) * 2**30


def test_every_role_has_its_own_user_and_no_other_password() -> None:
    for name, role in (("worker", "worker"), ("exporter", "exporter"), ("publish", "publisher")):
        service = services()[name]
        assert service["environment"]["WEIR_REDIS_URL"] == f"redis://{role}@redis:6379/0"
        secret = f"{role}_password"
        assert service["secrets"] == [secret]
        assert service["environment"]["WEIR_REDIS_PASSWORD_FILE"] == f"/run/secrets/{secret}"


def test_what_people_set_for_themselves_is_not_committed() -> None:
    ignored = subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_alerts_reach_whom_the_secret_names() -> None:
    [manager] = load(PROMETHEUS / "prometheus.yml")["alerting"]["alertmanagers"]
    [target] = manager["static_configs"][0]["targets"]
    assert target.partition(":")[0] in services()
    config = load(ROOT / "ops/alertmanager/alertmanager.yml")
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    [hook] = receivers[config["route"]["receiver"]]["webhook_configs"]
    name = hook["url_file"].removeprefix("/run/secrets/")
    assert name in services()["alertmanager"]["secrets"]
    assert name in load(COMPOSE)["secrets"]


def test_inhibitions_and_routes_name_alerts_that_exist() -> None:
    alerts = {rule["alert"] for group in rule_groups() for rule in group["rules"]}
    config = load(ROOT / "ops/alertmanager/alertmanager.yml")
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = re.fullmatch(r'alertname=~?"(.*)"', matcher)
            assert pattern
            for part in pattern[1].split("|"):
                assert any(re.fullmatch(part, alert) for alert in alerts), part


def test_the_exporter_s_environment_is_what_it_reads() -> None:
    parser = OneLineParser()
    exporter.add_arguments(parser)
    known = {*read_environment(parser, "exporter"), "WEIR_PATTERN", "WEIR_LOG_FORMAT"}
    known |= {ENV_PREFIX + name.upper() for name in SERVER_SETTINGS}
    assert set(services()["exporter"]["environment"]) <= known


def test_prometheus_finds_the_exporter_where_it_listens() -> None:
    jobs = {job["job_name"]: job for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    [target] = jobs["weir-exporter"]["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert host in services() and services()[host]["command"] == ["exporter"]
    parser = OneLineParser()
    exporter.add_arguments(parser)
    assert parser.parse_args([]).port == int(port)


def test_the_environment_of_a_worker_makes_valid_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "worker_password").write_text("secret")
    overlay = load(GPU_OVERLAY)["services"]["worker"]["environment"]
    for extra in ({}, overlay):
        for name, value in {**services()["worker"]["environment"], **extra}.items():
            if value is not None:
                monkeypatch.setenv(name, str(value).replace("/run/secrets", str(tmp_path)))
        settings = Settings()
        assert settings.metrics_host == "0.0.0.0"  # noqa: S104 (inside a container)
        assert settings.model == "bundled"
    assert (settings.device, settings.dtype) == ("cuda", "bfloat16")


@pytest.mark.parametrize("variable", ["WEIR_SNAPSHOT_DIR", "WEIR_PARK_DIR"])
def test_sessions_are_kept_on_volumes_that_the_image_has_a_place_for(variable: str) -> None:
    worker = services()["worker"]
    folder = worker["environment"][variable]
    mounts = [volume.split(":") for volume in worker["volumes"]]
    volume = next(source for source, target in mounts if target == folder)
    assert volume in load(COMPOSE)["volumes"]
    assert f" {folder} " in " ".join(rest for name, rest in dockerfile() if name == "RUN")


def test_passwords_are_secrets_from_files_that_git_ignores() -> None:
    secrets = load(COMPOSE)["secrets"]
    for name, secret in secrets.items():
        ignored = subprocess.run(
            ["git", "check-ignore", "--quiet", secret["file"]], cwd=ROOT, timeout=10, check=False
        )
        assert ignored.returncode == 0, f"{name}: {secret['file']} would be committed"
    for name, service in services().items():
        assert set(service.get("secrets", [])) <= set(secrets), name
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_the_secrets_are_explained_where_they_are_expected() -> None:
    readme = (ROOT / "ops/secrets/README.md").read_text()
    made = re.search(r"for name in ([a-z ]+); do", readme)
    touched = re.search(r"touch (\S+)", readme)
    assert made and touched
    expected = {f"ops/secrets/{name}_password.txt" for name in made[1].split()} | {touched[1]}
    assert {secret["file"] for secret in load(COMPOSE)["secrets"].values()} == expected


def test_files_that_are_mounted_exist() -> None:
    for name, service in services().items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name}: {source}"


def test_commands_are_what_weir_understands() -> None:
    assert services()["worker"]["command"] == ["worker"]
    name, *arguments = services()["publish"]["command"]
    assert {"worker", name} <= set(COMMANDS)
    parser = ArgumentParser(exit_on_error=False)
    publish.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    mounts = [volume.split(":")[1] for volume in services()["publish"]["volumes"]]
    assert parsed.file in mounts


def test_valkey_keeps_every_write_and_evicts_nothing() -> None:
    lines = (ROOT / "ops/valkey/valkey.conf").read_text().splitlines()
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"} <= set(lines)


def test_the_overlay_only_changes_the_worker_and_gives_it_a_gpu() -> None:
    overlay = load(GPU_OVERLAY)["services"]
    assert set(overlay) == {"worker"}
    devices = overlay["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


# ------------------------------------------------------------------ image


def dockerfile() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile in order: (name, rest)."""
    joined = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


def last(instruction: str) -> str:
    return [rest for name, rest in dockerfile() if name == instruction][-1]


def test_the_image_runs_weir_worker_as_nobody_special() -> None:
    assert last("USER").split(":")[0] not in ("0", "root")
    assert json.loads(last("ENTRYPOINT")) == ["weir"]
    assert json.loads(last("CMD")) == ["worker"]
    assert "/livez" in last("HEALTHCHECK")


def test_the_image_installs_what_is_locked_and_no_compiler_but_for_a_gpu() -> None:
    installs = [rest for name, rest in dockerfile() if name == "RUN" and "pip install" in rest]
    assert len(installs) == 3 and all("--no-deps" in rest for rest in installs)
    assert all("--require-hashes" in rest for rest in installs[:2])
    assert "pip check" in installs[2]
    for service, torch in ((services()["worker"], "cpu"), (overlay_worker(), "cuda")):
        assert service["build"]["args"]["TORCH"] == torch
        assert (ROOT / f"ops/lock/torch-{torch}.txt").exists()
    packages = [
        rest.split("apt-get install")[1].split("&&")[0].split()
        for _, rest in dockerfile()
        if "apt-get install" in rest
    ]
    assert packages == [["--yes", "--no-install-recommends", "$SYSTEM_PACKAGES"]]
    assert ("ARG", 'SYSTEM_PACKAGES=""') in dockerfile()
    assert "SYSTEM_PACKAGES" not in COMPOSE.read_text()
    # Triton has what starts its kernels built when they are first used.
    assert overlay_worker()["build"]["args"]["SYSTEM_PACKAGES"] == "gcc libc6-dev"


def test_the_build_copies_what_exists_and_the_context_lets_through() -> None:
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    copied = [
        source
        for name, rest in dockerfile()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / source).exists() for source in copied)


def test_both_stages_stand_on_the_same_pinned_python() -> None:
    bases = {rest.split()[0] for name, rest in dockerfile() if name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", bases.pop())


# ------------------------------------------------------------------ prometheus


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("promtool is missing: install the Debian package prometheus")
    if found is None:
        pytest.skip("promtool is not installed (Debian package: prometheus)")
    return found


def run_promtool(promtool: str, *arguments: str, cwd: Path = PROMETHEUS) -> None:
    result = subprocess.run(
        [promtool, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_takes_its_configuration(promtool: str) -> None:
    run_promtool(promtool, "check", "config", "prometheus.yml")


def test_alerts_fire_when_they_should_and_not_before(promtool: str) -> None:
    run_promtool(promtool, "test", "rules", "rules.test.yml")


def test_every_alert_is_tested() -> None:
    alerts = {rule["alert"] for group in rule_groups() for rule in group["rules"]}
    tests = load(PROMETHEUS / "rules.test.yml")["tests"]
    fired = {
        case["alertname"]
        for test in tests
        for case in test.get("alert_rule_test", [])
        if case["exp_alerts"]
    }
    assert fired == alerts


def test_prometheus_finds_every_worker_at_the_port_that_it_listens_on() -> None:
    jobs = {job["job_name"]: job for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    discovery = jobs["weir"]["dns_sd_configs"][0]
    assert discovery["names"] == ["worker"]
    assert discovery["type"] == "A"
    assert discovery["port"] == int(services()["worker"]["environment"]["WEIR_METRICS_PORT"])


# ------------------------------------------------------------------ names of metrics


def exported() -> set[str]:
    """Every name that a query may use: counters as `_total`, histograms as their parts."""
    suffixes = {
        "counter": ["_total"],
        "histogram": ["_bucket", "_sum", "_count"],
        "info": ["_info"],
    }
    return {f.name + suffix for f in every_family() for suffix in suffixes.get(f.type, [""])}


def every_family() -> list[Metric]:
    """Of a worker, and of the exporter."""
    return [*Metrics(CollectorRegistry()).registry.collect(), *exported_families()]


def rule_groups() -> list[dict[str, Any]]:
    groups = load(PROMETHEUS / "rules.yml")["groups"]
    assert isinstance(groups, list)
    return groups


def dashboard() -> dict[str, Any]:
    document = json.loads(DASHBOARD.read_text())
    assert isinstance(document, dict)
    return document


def panels() -> list[dict[str, Any]]:
    """Those that show something: not the headings of rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard_queries() -> Iterator[tuple[str, str]]:
    board = dashboard()
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        yield f"variable {variable['name']}", variable["query"]["query"]
    for annotation in board["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def rule_queries() -> Iterator[tuple[str, str]]:
    for group in rule_groups():
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def test_every_metric_that_a_panel_or_an_alert_names_exists() -> None:
    known = exported() | FROM_ELSEWHERE
    for where, query in [*dashboard_queries(), *rule_queries()]:
        named = set(METRIC.findall(query))
        assert named, f"{where} names no metric"
        assert named <= known, f"{where}: {named - known}"


def test_the_alerts_are_tested_with_metrics_that_exist() -> None:
    named = {
        series["series"].partition("{")[0]
        for test in load(PROMETHEUS / "rules.test.yml")["tests"]
        for series in test["input_series"]
    }
    assert named <= exported() | FROM_ELSEWHERE


def test_every_label_value_that_a_query_selects_exists() -> None:
    known = {
        (label, value)
        for family in every_family()
        for sample in family.samples
        for label, value in sample.labels.items()
    } | {("state", "in_use"), ("state", "free")}
    for where, query in [*dashboard_queries(), *rule_queries()]:
        chosen = re.findall(r'\b(state|place|reason|view|owned)="(\w+)"', query)
        assert set(chosen) <= known, where


def test_every_query_of_the_dashboard_is_valid(promtool: str, tmp_path: Path) -> None:
    grafana = {"$__rate_interval": "1m", "$worker": ".*"}
    rules = []
    for number, (_, query) in enumerate(dashboard_queries()):
        if query.startswith("label_values("):
            continue
        for name, value in grafana.items():
            query = query.replace(name, value)
        rules.append({"record": f"panel_{number}", "expr": query})
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run_promtool(promtool, "check", "rules", str(path))


# ------------------------------------------------------------------ grafana


def test_the_dashboard_reads_from_the_provisioned_data_source() -> None:
    sources = load(PROVISIONING / "datasources/prometheus.yml")["datasources"]
    uids = {source["uid"] for source in sources}
    board = dashboard()
    asked = [panel["datasource"]["uid"] for panel in panels()]
    asked += [target["datasource"]["uid"] for panel in panels() for target in panel["targets"]]
    asked += [variable["datasource"]["uid"] for variable in board["templating"]["list"]]
    asked += [annotation["datasource"]["uid"] for annotation in board["annotations"]["list"]]
    assert set(asked) == uids


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    source = load(PROVISIONING / "datasources/prometheus.yml")["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services()
    folder = load(PROVISIONING / "dashboards/weir.yml")["providers"][0]["options"]["path"]
    grafana = services()["grafana"]
    assert f"./ops/grafana/dashboards:{folder}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/{DASHBOARD.name}"


def test_panels_have_their_own_ids_and_titles() -> None:
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in every}) == len(every)
    for panel in panels():
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), panel["title"]


def test_panels_lie_side_by_side_on_the_grid() -> None:
    every = dashboard()["panels"]
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24, panel["title"]
    for one, other in combinations(every, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), f"{one['title']}, {other['title']}"


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "w"), ("y", "h"))
    )


def test_no_panel_shows_a_counter_that_falls_when_its_process_starts_anew() -> None:
    counters = {family.name + "_total" for family in every_family() if family.type == "counter"}
    over_time = re.compile(r"\b(?:rate|increase)\((\w+)")
    for where, query in dashboard_queries():
        bare = counters & set(METRIC.findall(query)) - set(over_time.findall(query))
        assert not bare, f"{where}: {bare}"


def test_what_redis_knows_is_never_counted_once_for_each_exporter() -> None:
    """Every figure of the exporter's is first reduced by max (or min): two of them say the same."""
    of_exporter = {family.name for family in exported_families()}
    of_exporter |= {f"{name}_total" for name in of_exporter}
    reduced = re.compile(r"\bmax(?: by \([\w, ]+\))? \((?:\w+\()?(\w+)|\bmax\((?:\w+\()?(\w+)")
    for where, query in [*dashboard_queries(), *rule_queries()]:
        named = of_exporter & set(METRIC.findall(query))
        safe = {name for pair in reduced.findall(query) for name in pair if name}
        assert named <= safe, f"{where}: {named - safe}"


def test_the_level_memory_line_is_on_the_dashboard() -> None:
    panel = next(p for p in dashboard()["panels"] if p["title"].startswith("Memory stays level"))
    queries = " ".join(target["expr"] for target in panel["targets"])
    for metric in ("weir_kv_cache_bytes", "weir_resident_memory_bytes", "weir_seen_tokens"):
        assert metric in queries
