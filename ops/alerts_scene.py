"""What `ops.alerts_check` plays with: server, exporter, Prometheus, Alertmanager, and faults."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml
from prometheus_client import CollectorRegistry
from redis import Redis

from engine import MemoryReport
from worker.exporter.collector import RedisCollector
from worker.exporter.reading import read
from worker.keyspace.connection import connect_briefly
from worker.keyspace.embedded import EmbeddedServer, free_port
from worker.keyspace.failing import note_failing
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases
from worker.settings.config import Settings
from worker.watch.health import HealthServer
from worker.watch.metrics import Metrics

ROOT = Path(__file__).parents[1]
TIMES = 60
UNITS = {"s": 1, "m": 60, "h": 3600}
NO_PROGRAM = (
    "{} is not installed: install Debian's packages prometheus and prometheus-alertmanager, or see "
    ".ci/run for their programs alone"
)


def sooner(text: str) -> str:
    """Durations of a rule, in milliseconds, and its bounds in seconds."""
    text = re.sub(
        r"\b(\d+)([smh])\b", lambda m: f"{int(m[1]) * UNITS[m[2]] * 1000 // TIMES}ms", text
    )
    return re.sub(r"> (60|4200)\b", lambda m: f"> {int(m[1]) / TIMES:g}", text)


def program(*names: str) -> str:
    for name in names:
        found = shutil.which(name) or shutil.which(ROOT / ".cache/prometheus/usr/bin" / name)
        if found:
            return found
    sys.exit(f"alerts-check: {NO_PROGRAM.format(names[0])}")


class Somebody(BaseHTTPRequestHandler):
    """Who hears of alerts: what he was told, as (alert, firing or resolved)."""

    told: set[tuple[str, str]] = set()  # noqa: RUF012  (there is one of him)

    @classmethod
    def of(cls, status: str) -> set[str]:
        return {alert for alert, was in cls.told if was == status}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for alert in json.loads(body)["alerts"]:
            self.told.add((alert["labels"]["alertname"], alert["status"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """What he was told is looked at, not printed."""


class Scene:
    """Everything that runs, and the faults that can befall it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.ports = {name: free_port() for name in ("worker", "exporter", "prometheus", "manager")}
        self.server = stack.enter_context(EmbeddedServer(durable=True))
        self.redis = Redis(port=self.server.port)
        self.processes: list[subprocess.Popen[bytes]] = []
        registry = CollectorRegistry()
        self.metrics = Metrics(registry, rejections=("too_big",))
        self.started_at, self.age_seconds = time.time() - 10_000, 0.0
        self.metrics.watch_heartbeat(lambda: self.age_seconds)
        self.memory(1000)
        self.registry = registry
        board = json.loads((ROOT / "ops/grafana/dashboards/weir.json").read_text())
        targets = [target for panel in board["panels"] for target in panel.get("targets", ())]
        # There is no GPU here.
        self.unanswered = {t["expr"] for t in targets if "weir_cuda" not in t["expr"]}
        self.open_worker()
        self.open_exporter()
        self.somebody = ThreadingHTTPServer(("127.0.0.1", 0), Somebody)
        threading.Thread(target=self.somebody.serve_forever, daemon=True).start()

    def memory(self, bytes_per_row: int) -> None:
        self.metrics.memory(MemoryReport(bytes_per_row, 4 * bytes_per_row, 2, 2))

    def open_worker(self) -> None:
        registry, scene = self.registry, self

        class AsStarted(CollectorRegistry):
            def collect(self) -> Iterator[Any]:
                for family in registry.collect():
                    for at, sample in enumerate(family.samples):
                        if sample.name == "process_start_time_seconds":
                            family.samples[at] = sample._replace(value=scene.started_at)
                    yield family

        self.worker = HealthServer("127.0.0.1", self.ports["worker"], AsStarted(), {})
        self.worker.start()

    def open_exporter(self) -> None:
        registry = CollectorRegistry(auto_describe=False)
        redis = connect_briefly(Settings(redis_url=self.server.url), 2.0)
        registry.register(RedisCollector(partial(read, redis, ["live:*"]), num_worst=20))
        self.exporter = HealthServer("127.0.0.1", self.ports["exporter"], registry, {})
        self.exporter.start()

    def watch(self) -> None:
        """Prometheus and Alertmanager, with what is deployed but for addresses and time."""
        rules = yaml.safe_load((ROOT / "ops/prometheus/rules.yml").read_text())
        for rule in rules["groups"][0]["rules"]:
            rule |= {key: sooner(rule[key]) for key in ("expr", "for") if key in rule}
        (self.folder / "rules.yml").write_text(yaml.safe_dump(rules))
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{self.ports[name]}"]}]}
            for job, name in (("weir", "worker"), ("weir-exporter", "exporter"))
        ]
        manager = {"static_configs": [{"targets": [f"127.0.0.1:{self.ports['manager']}"]}]}
        config = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["rules.yml"],
            "scrape_configs": jobs,
            "alerting": {"alertmanagers": [manager]},
        }
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        routes = (ROOT / "ops/alertmanager/alertmanager.yml").read_text()
        address = f"url: http://127.0.0.1:{self.somebody.server_port}"
        routes = routes.replace("url_file: /run/secrets/alert_webhook_url", address)
        (self.folder / "alertmanager.yml").write_text(
            re.sub(r": (15s|2m)$", ": 1s", routes, flags=re.M)
        )
        self.run("prometheus", "prometheus", "--config.file=prometheus.yml")
        self.run(
            "manager", "prometheus-alertmanager", "alertmanager", "--config.file=alertmanager.yml"
        )

    def run(self, port: str, *words: str) -> None:
        names = [word for word in words if not word.startswith("-")]
        listen = [f"--web.listen-address=127.0.0.1:{self.ports[port]}"]
        listen += ["--cluster.listen-address="] if port == "manager" else []
        data = "--storage.path" if port == "manager" else "--storage.tsdb.path"
        with (self.folder / f"{port}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [program(*names), words[-1], *listen, f"{data}={port}-data"],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)

    def check(self) -> None:
        """Ends with its log if a program has ended."""
        for process in self.processes:
            if process.poll() is not None:
                logs = [path.read_text()[-500:] for path in self.folder.glob("*.log")]
                sys.exit(f"alerts-check: {process.args} has ended:\n{''.join(logs)}")

    def ask(self, what: str, **parameters: str) -> Any:
        """Prometheus' answer."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        address = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/{what}{query}"
        with urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def look_at_panels(self) -> None:
        """Notes which of the dashboard's queries have an answer now."""
        for query in self.unanswered.copy():
            asked = query.replace("$__rate_interval", "30s").replace("$worker", ".*")
            if self.ask("query", query=asked)["result"]:
                self.unanswered.discard(query)

    def firing(self) -> set[str]:
        try:
            alerts = self.ask("alerts")["alerts"]
        except URLError:
            return set()
        return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}

    # ---- faults

    def harm_streams(self) -> None:
        self.redis.xadd("live:late", {"text": "hi"}, id=f"{int(time.time() * 1000) - 600_000}-1")
        self.redis.xadd("live:fails", {"text": "hi"})
        Leases(self.redis, "host:1:x", lease_seconds=3600).acquire("live:fails")
        note_failing(self.redis, "live:fails", ValueError("no"), seconds=3600)
        self.redis.xadd("live:broken", {"text": "hi"})
        self.redis.set(stream_keys("live:broken").state, "no hash")
        used = int(self.redis.info("memory")["used_memory"])
        self.redis.config_set("maxmemory", int(used / 0.85))
        self.rename_fails = Path(self.redis.config_get("dir")["dir"]) / "dump.rdb"
        self.rename_fails.mkdir()
        self.redis.bgsave()

    def mend_streams(self) -> None:
        self.redis.delete("live:late", "live:fails", "live:broken")
        self.redis.config_set("maxmemory", 0)
        self.rename_fails.rmdir()
        self.redis.bgsave()

    def evict(self) -> None:
        self.redis.config_set("maxmemory-policy", "allkeys-lru")
        self.redis.set("a", "x" * 10**6)
        self.redis.config_set("maxmemory", int(self.redis.info("memory")["used_memory"]) - 500_000)
        self.redis.set("b", "x")

    def keep_again(self) -> None:
        self.redis.config_set("maxmemory", 0)
        self.redis.config_set("maxmemory-policy", "noeviction")

    def tell_worker(self) -> None:
        for _ in range(6):
            self.metrics.lease_lost("taken")
        self.metrics.session_lost("not_stored")
        self.metrics.rejected("too_big")
        self.metrics.describe(model="bundled", device="cpu", dtype="float32")
        self.metrics.streams({"live": 3})

    def restart_worker(self) -> None:
        for _ in range(4):
            self.started_at += 1
            time.sleep(1.5)


@contextmanager
def scene() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = Scene(Path(folder), stack)
        made.watch()
        yield made
