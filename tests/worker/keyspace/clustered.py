"""A Redis Cluster of three nodes, all real, whose slots can be moved while it is used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from redis import Redis

from tests.worker.keyspace.watched import client, until
from worker.keyspace.embedded import EmbeddedServer, free_port
from worker.keyspace.keys import NUM_CLUSTER_SLOTS

NUM_NODES = 3


class Clustered:
    """Until the end of a `with` block. `nodes` have a third of the slots each at first."""

    def __init__(self) -> None:
        self.servers: list[EmbeddedServer] = []
        self.nodes: list[Redis] = []
        self._stack = ExitStack()

    def __enter__(self) -> Clustered:
        self.nodes = [self._start() for _ in range(NUM_NODES)]
        for number, node in enumerate(self.nodes):
            first, end = (NUM_CLUSTER_SLOTS * n // NUM_NODES for n in (number, number + 1))
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self._meet(node)
        self.wait_until_whole()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add_replica(self, of: Redis) -> Redis:
        replica = self._start()
        self._meet(replica)
        until(lambda: _id(of) in replica.execute_command("CLUSTER", "NODES").decode())
        replica.execute_command("CLUSTER", "REPLICATE", _id(of))
        until(lambda: replica.info("replication").get("master_link_status") == "up")
        return replica

    def _start(self) -> Redis:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        port = ("--cluster-port", str(free_port()))
        server = EmbeddedServer(durable=True, options=(*options, *port))
        self.servers.append(self._stack.enter_context(server))
        return self._stack.enter_context(client(server.port))

    def _meet(self, node: Redis) -> None:
        bus = node.config_get("cluster-port")["cluster-port"]
        self.nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port_of(node), bus)

    def wait_until_whole(self) -> None:
        until(lambda: all(map(_is_whole, self.nodes)))

    @property
    def url(self) -> str:
        return f"cluster://127.0.0.1:{port_of(self.nodes[0])},127.0.0.1:{port_of(self.nodes[1])}"

    def owner(self, slot: int) -> Redis:
        return next(node for node in self.nodes if slot in _slots_of(node))

    def server_of(self, node: Redis) -> EmbeddedServer:
        return self.servers[self.nodes.index(node)]

    def other_than(self, node: Redis) -> Redis:
        return next(other for other in self.nodes if other is not node)

    def move(self, slot: int, *, between: Callable[[], object] = lambda: None) -> None:
        """To another node, as redis-cli does it: key by key, with something done after each."""
        source = self.owner(slot)
        target = self.other_than(source)
        self.begin_to_move(slot, source, target)
        while move_key(slot, source, target):
            between()
        self.end_move(slot, source, target)

    def begin_to_move(self, slot: int, source: Redis, target: Redis) -> None:
        target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(target))

    def end_move(self, slot: int, source: Redis, target: Redis) -> None:
        while move_key(slot, source, target):
            pass
        for node in (target, source, *self.nodes):
            node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", _id(target))

    def num_answers(self, kind: str) -> int:
        """How often a node answered with such an error."""
        found = [node.info("errorstats").get(f"errorstat_{kind}", {}) for node in self.nodes]
        return sum(int(one.get("count", 0)) for one in found)


def move_key(slot: int, source: Redis, target: Redis) -> bool:
    """One of those that are left, if one is."""
    keys = source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1)
    if keys:
        source.execute_command("MIGRATE", "127.0.0.1", port_of(target), keys[0], 0, 5000)
    return bool(keys)


def port_of(node: Redis) -> int:
    return int(node.get_connection_kwargs()["port"])


def _id(node: Redis) -> str:
    return bytes(node.execute_command("CLUSTER", "MYID")).decode()


def _slots_of(node: Redis) -> set[int]:
    """By its own account."""
    lines = node.execute_command("CLUSTER NODES").values()
    mine = next(line for line in lines if "myself" in line["flags"])
    ranges = [range(int(one[0]), int(one[-1]) + 1) for one in mine["slots"]]
    return {slot for some in ranges for slot in some}


def _is_whole(node: Redis) -> bool:
    info = node.execute_command("CLUSTER INFO")
    known = info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NUM_NODES
    return known and int(info["cluster_slots_assigned"]) == NUM_CLUSTER_SLOTS
