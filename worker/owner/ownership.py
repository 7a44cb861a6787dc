"""Which streams are this worker's: taken with a lease, kept by renewing it, given back in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from redis import Redis
from redis.exceptions import RedisError

from engine import Loss, NoFreeRow
from worker.keyspace.committer import Committer, StaleOwner
from worker.keyspace.failing import note_failing
from worker.keyspace.lease import Lease, Leases
from worker.keyspace.live import Live
from worker.keyspace.own_keys import BrokenKeys, require_sound
from worker.keyspace.trouble import is_passing, is_silence
from worker.owner.commits import Commits
from worker.owner.handover import Handover
from worker.owner.places import Places
from worker.owner.renewal import Renewal
from worker.owner.room import Room
from worker.owner.rounds import Rounds
from worker.owner.setbacks import Setbacks
from worker.stream.kit import Kit
from worker.stream.live_stream import LiveStream
from worker.stream.recovery import open_stream
from worker.stream.snapshots import Snapshots
from worker.stream.standing import Reached, stand
from worker.watch.logs import about

log = logging.getLogger(__name__)


class Ownership:
    """`streams` holds exactly the streams whose lease this worker has, as far as it knows."""

    def __init__(self, kit: Kit, redis: Redis, *, owner: str):
        settings = kit.settings
        self.streams: dict[str, LiveStream] = {}
        self._kit = kit
        self._redis = redis
        self._leases = Leases(redis, owner, lease_seconds=settings.lease_seconds)
        self._live = Live(redis)
        self._committer = Committer(redis, lease_seconds=settings.lease_seconds)
        self._snapshots = Snapshots(settings.snapshot_dir)
        self._commits = Commits(
            self._committer,
            self._snapshots,
            kit.metrics,
            taken=self.take_again,
            failed=self._fail,
        )
        self.rounds = Rounds(self.streams, kit.clock())
        self._renewal = Renewal(
            self._leases, kit.metrics, lease_seconds=settings.lease_seconds, now=kit.clock()
        )
        self._places = Places(settings.max_streams, kit.clock())
        self._setbacks = Setbacks()
        self.handover = Handover(away_seconds=settings.lease_seconds)
        self._again: dict[str, Reached] = {}
        self._room = Room()
        self._round: list[LiveStream] = []

    def adopt(self, name: str, reached: Reached | None = None) -> None:
        """Takes the stream up where its last owner left it, if there is room and it is free.
        reached: how far it was read here already, if it was; what is missing then is told in any
        case. Raises what passes (`is_passing`)."""
        with about(lambda: {"stream": name}):
            if name not in self.streams and (reached or self._may_take(name)):
                self._take(name, reached)

    def _take(self, name: str, reached: Reached | None) -> None:
        try:
            require_sound(self._redis, name)
            lease = self._leases.acquire(name)
            if lease is not None:
                self._open(lease, reached)
        except StaleOwner as error:
            log.warning("%s: not taken up: %s", name, error)
        except BrokenKeys as error:  # the registry calls it broken and offers it to nobody
            log.error("%s: gets no owner: %s", name, error)
        except Exception as error:
            if is_passing(error):
                raise
            # Somebody else wrote to the stream's own keys. It waits until its lease has run out.
            log.exception("%s: cannot be taken up", name)
            self._failed(name, error)

    def _may_take(self, name: str) -> bool:
        now = self._kit.clock()
        if self._setbacks.is_waiting(name, now) or not self.handover.may_adopt(name, now):
            return False
        if not self._has_room():
            log.debug("%s: no room here; the reconciler will ask again", name)
            return False
        return True

    def _open(self, lease: Lease, reached: Reached | None) -> None:
        started = time.perf_counter()
        standing = stand(self._kit, self._redis, self._committer, lease, reached)
        stream = None
        with suppress(NoFreeRow):
            if reached is None or self._may_take(lease.stream):
                stream = open_stream(self._kit, self._redis, self._snapshots, standing)
        if stream is None:
            self._leases.release(lease)
            return
        self._hold(stream)
        self._kit.metrics.adopted(time.perf_counter() - started)
        with about(stream.told):
            log.info("%s: owned, epoch %d", lease.stream, lease.epoch)

    def begin_round(self, *, with_all: bool = False) -> None:
        """Which streams the round is about: those that have work, and some of the others."""
        some = self.rounds.to_look_at(self._kit.clock())
        self._round = list(self.streams.values()) if with_all else some

    @property
    def _in_round(self) -> list[LiveStream]:
        return [stream for stream in self._round if self.streams.get(stream.name) is stream]

    def each(self, part: Callable[[LiveStream], None]) -> None:
        """Does `part` for every stream of the round. One that fails is dropped, and tried again by
        whoever adopts it when its lease has run out; the others never notice."""
        for stream in self._in_round:
            self._do(part, stream)

    def _do(self, part: Callable[[LiveStream], None], stream: LiveStream) -> None:
        try:
            with about(stream.told):
                part(stream)
        except Exception as error:
            if is_passing(error):
                raise
            with about(stream.told):
                log.exception("%s: dropped after a failure of its own", stream.name)
            self._fail(stream, error)

    def _fail(self, stream: LiveStream, why: Exception) -> None:
        self._failed(stream.name, why)
        self._drop(stream)

    def _failed(self, name: str, why: Exception) -> None:
        self._kit.metrics.stream_failed()
        pause_seconds = self._setbacks.note(name, self._kit.clock())
        # Until it would be tried a second time: by then it has failed again, or goes well.
        until = 2 * (pause_seconds + self._kit.settings.lease_seconds)
        note_failing(self._redis, name, why, seconds=until)

    def take_again(self, stream: LiveStream) -> None:
        """Drops what is not what the server has, and takes it up from there at the end of the
        round, unless another owner has."""
        self._again[stream.name] = stream.reached
        self._drop(stream)

    def release(self, name: str) -> None:
        if name in self.streams:
            self.streams[name].is_leaving = True
            self.rounds.wake(name)

    def hand(self, name: str, receiver: str) -> None:
        """Gives the stream to another worker, as soon as it can be saved."""
        stream = self.streams.get(name)
        if stream and stream.can_move:
            stream.is_moving = True
            self.handover.begin(name, receiver)
            self.rounds.wake(name)

    def take(self, name: str) -> None:
        """Another worker has just given the stream to this one."""
        self.handover.comes_back(name)
        self.adopt(name)

    def note(self, losses: Iterable[Loss]) -> None:
        """Sessions that are lost; `tend` sees to their streams. A copy that is lost is made anew by
        whoever wanted it."""
        for loss in losses:
            self._kit.metrics.session_lost(loss.kind)
            for stream in self.streams.values():
                if stream.session is loss.session:
                    log.warning("%s: its parked session is lost: %s", stream.name, loss.why)
                    stream.loss = loss
                    self.rounds.wake(stream.name)

    def _begin_again(self, stream: LiveStream, loss: Loss) -> None:
        """Where its last commit stands: at once, if only its file was bad. If there was no room for
        it there is none now: it waits in Redis until there may be. So does one that owes nothing.
        """
        if stream.is_quiet:
            self.let_go(stream)
        elif loss.kind == "not_stored":
            self._give_back(stream, "given back: no room to park it")
            self._places.are_short(len(self.streams), self._kit.clock())
        else:
            self._drop(stream)
            self.adopt(stream.name)

    def commit(self) -> None:
        """What the streams of the round have to commit. Raises what passes: call again."""
        self._commits.of_each(self._in_round)
        self._live.show({s.name: p for s in self._in_round if (p := s.pending()) is not None})

    def tend(self) -> None:
        """What is due by the clock: snapshots, streams that are over or lost, leases."""
        for stream in self._in_round:
            with about(stream.told):
                self._tend(stream)
        for stream in self._renewal.lost(self.streams, self._kit.clock()):
            self.take_again(stream)
        self._take_back()
        self.rounds.let_rest()

    def _tend(self, stream: LiveStream) -> None:
        stream.save(self._snapshots)
        if stream.loss:
            self._begin_again(stream, stream.loss)
        elif stream.is_closed:
            if stream.is_followed:
                self._again[stream.name] = stream.reached
            self._give_back(stream, "it has ended")
        elif stream.goes_now:
            self.let_go(stream)

    def _take_back(self) -> None:
        """What the server does not answer to now is done in the next round."""
        for name, reached in list(self._again.items()):
            self._again[name] = replace(reached, may_be_told=True)
            self.adopt(name, reached)
            del self._again[name]

    def let_go(self, stream: LiveStream, *, with_session: bool = True) -> None:
        """Gives the stream back, for any worker to take up; its session is saved first."""
        if stream.is_quiet and not stream.is_moving:  # nobody need have it until there is more
            stream.outbox.advance(status="parked")
        if with_session:
            stream.save(self._snapshots, last_chance=True)
        if self._commits.all_of(stream):
            self._give_back(stream, "given back")

    def leave_all(self, *, saving_until: float, leaving_until: float) -> None:
        """`let_go`, at the end of a process. Without Redis leases run out by themselves: when one
        stream has waited for it in vain, the others do not."""
        is_away = False
        for stream in list(self.streams.values()):
            if is_away or self._kit.clock() > leaving_until:
                self._drop(stream)
            else:
                is_away = not self._leave(stream, with_session=self._kit.clock() < saving_until)

    def _leave(self, stream: LiveStream, *, with_session: bool) -> bool:
        """Whether Redis answered."""
        try:
            with about(stream.told):
                self.let_go(stream, with_session=with_session)
        except RedisError as error:
            log.warning("%s: left without a last commit: %s", stream.name, error)
            self._drop(stream)
            return not is_silence(error)
        return True

    def _has_room(self) -> bool:
        return self._places.has_one(len(self.streams), self._kit.clock()) or self._make_room()

    def _make_room(self) -> bool:
        """One that still owes a summary is asked for it now, and goes when it is asked for room
        again."""
        stream = self._room.whose(self.streams.values(), self._kit.clock())
        if stream is None:
            return False
        if stream.is_quiet:
            self.let_go(stream)
            return True
        stream.hurry()
        self.rounds.wake(stream.name)
        return False

    def _give_back(self, stream: LiveStream, why: str) -> None:
        self._leases.release(stream.outbox.lease)
        log.info("%s: %s", stream.name, why)
        self.handover.gone(stream.name, self._kit.clock())
        self._drop(stream)

    def _hold(self, stream: LiveStream) -> None:
        self.streams[stream.name] = stream
        self.rounds.add(stream.name)
        self._renewal.add(stream.name)

    def _drop(self, stream: LiveStream) -> None:
        self.handover.dropped(stream.name)
        del self.streams[stream.name]
        self.rounds.remove(stream.name)
        self._renewal.remove(stream.name)
        stream.close()
