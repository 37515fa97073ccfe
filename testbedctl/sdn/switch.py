"""One access switch: what was asked of it, what it holds, and how the second is made to follow the first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from testbedctl.sdn.connection import Applied, Connection, FlowCounters, Hub
from testbedctl.sdn.refusal import Refused, not_connected
from testbedctl.sdn.rules import ANY_RUN, MAX_COOKIE, Desired, Meter, Rule

MIN_WINDOW_S = 0.9  # shorter ones measure when Open vSwitch refreshed its counters, not the traffic
MAX_WINDOW_S = 5.0
RETRY_S = 1.0
LOG = logging.getLogger("testbedctl.sdn")

Claim = tuple[int, int]
"""Cookie (or ``ANY_RUN``) and priority of rules that this controller answers for, also those it did not
install itself."""
Identity = tuple[tuple[int, str | None, str | None, int | None], int]


@dataclass(frozen=True)
class Installed:
    """What the switch holds of ours."""

    rules: frozenset[Rule]
    meters: frozenset[Meter]


@dataclass(frozen=True)
class MeasuredFlow:
    """A flow entry with its rate over the poll's window; none while there is nothing to compare with."""

    counters: FlowCounters
    rate_bps: float | None


@dataclass(frozen=True)
class Sample:
    """Byte counters of all entries at one time of the monotonic clock."""

    at_s: float
    bytes: dict[Identity, int]


class Switch:
    """Holds what was asked of a switch across its connections, and realises it on each."""

    def __init__(self, dpid: str, hub: Hub):
        self.dpid = dpid
        self.desired = Desired()
        self.ports: dict[str, int] = {}
        self._connection: Connection | None = None
        self._read_from: Connection | None = None
        self._hub = hub
        self._lock = hub.lock()
        self._poll_lock = hub.lock()
        self._next_meter = 1
        self._installed: Installed | None = None
        self._claims: set[Claim] = set()
        self._touched: set[tuple[object, ...]] = set()
        self._samples: list[Sample] = []
        self._outdated = False

    @property
    def connection(self) -> Connection:
        """The connection in use. Raises ``Refused`` (503) while there is none."""
        if self._connection is None:
            raise not_connected(self.dpid)
        return self._connection

    @property
    def connected(self) -> bool:
        """Whether the switch is connected and its ports are known."""
        return self._connection is not None and self._read_from is self._connection

    def attach(self, connection: Connection) -> None:
        """Use a new connection: read its ports and bring the switch to what was asked of it."""
        self._connection = connection
        self.refresh()

    def detach(self) -> None:
        """The connection has ended."""
        self._connection = None

    def refresh(self) -> None:
        """Look at the switch again, in the background, and mend what differs from what was asked."""
        self._outdated = True
        self._hub.spawn(self._restore)

    def update(self, change: Callable[[Desired], Desired], claims: Iterable[Claim] = ()) -> Applied:
        """Change what is asked of the switch, and wait until it does it.

        Rules are added first, then, after a barrier, those no longer wanted are deleted, so that no packet
        finds none. If the switch refuses or does not answer, nothing counts as changed and the switch is
        brought back as soon as it answers. Raises ``Refused``.
        """
        with self._lock:
            connection = self.connection
            self._read(connection, set(claims))
            desired = change(self.desired)
            try:
                applied = self._converge(connection, desired)
            except Refused:
                self._installed = None
                self.refresh()
                raise
            self.desired = desired.stamped(applied.applied_unix_s)
            return applied

    def new_meter_id(self) -> int:
        """A meter number that was never used on this switch; for use inside ``update``."""
        self._next_meter += 1
        return self._next_meter - 1

    def measure(self) -> tuple[list[MeasuredFlow], float]:
        """Every flow entry with its rate since the previous poll that is at least ``MIN_WINDOW_S`` ago, and
        the length of that window in seconds (0 if there was none). Raises ``Refused``."""
        with self._poll_lock:
            entries = self.connection.flows()
            now = time.monotonic()
            self._samples.append(Sample(now, {_identity(entry.rule): entry.bytes for entry in entries}))
            while len(self._samples) > 2 and now - self._samples[1].at_s >= MIN_WINDOW_S:
                self._samples.pop(0)
            base = self._samples[0]
            window_s = now - base.at_s
            return [MeasuredFlow(entry, _rate_bps(entry, base, window_s)) for entry in entries], window_s

    def measure_now(self) -> list[MeasuredFlow]:
        """Like ``measure``, over a window of about a second that has just ended: waits for it if need be."""
        flows, window_s = self.measure()
        if MIN_WINDOW_S <= window_s <= MAX_WINDOW_S:
            return flows
        self._hub.sleep(MIN_WINDOW_S)
        with self._poll_lock:
            del self._samples[:-1]
        return self.measure()[0]

    def _restore(self) -> None:
        while self._outdated:
            with self._lock:
                connection = self._connection
                if connection is None or not self._outdated:
                    return
                self._outdated = False
                try:
                    self._read_from = None
                    self._read(connection, set())
                    self._converge(connection, self.desired)
                except Refused as refusal:
                    gone = (
                        refusal.status is HTTPStatus.SERVICE_UNAVAILABLE
                    )  # its return is an event of its own
                    level = logging.INFO if gone else logging.WARNING
                    LOG.log(level, "switch %s could not be restored: %s", self.dpid, refusal)
                    self._installed = None
                    self._outdated = refusal.status is HTTPStatus.GATEWAY_TIMEOUT
            if self._outdated:
                self._hub.sleep(RETRY_S)

    def _read(self, connection: Connection, claims: set[Claim]) -> None:
        """Learn what the switch holds of ours, unless that is known."""
        if not claims <= self._claims:
            self._claims |= claims
            self._installed = None
        if self._read_from is not connection:
            self.ports = connection.ports()
            self._installed = None
            self._read_from = connection
        if self._installed is not None:
            return
        present = [entry.rule for entry in connection.flows()]
        meters = connection.meters()
        ours = {rule for rule in present if self._is_ours(rule)}
        foreign = {rule.meter_id for rule in present if rule not in ours}
        self._next_meter = max([self._next_meter, *(meter.id + 1 for meter in meters)])
        self._installed = Installed(frozenset(ours), frozenset(m for m in meters if m.id not in foreign))

    def _is_ours(self, rule: Rule) -> bool:
        cookies = {rule.cookie, ANY_RUN} if 1 <= rule.cookie <= MAX_COOKIE else {rule.cookie}
        claimed = any((cookie, rule.priority) in self._claims for cookie in cookies)
        return claimed or rule.key in self._touched

    def _converge(self, connection: Connection, desired: Desired) -> Applied:
        held = self._installed or Installed(frozenset(), frozenset())
        rules, meters = frozenset(desired.rules(self.ports)), frozenset(desired.meters())
        self._touched.update(rule.key for rule in rules)
        applied = connection.install(rules - held.rules, meters - held.meters)
        keys = {rule.key for rule in rules}
        stale = {rule for rule in held.rules if rule.key not in keys}
        if stale or held.meters - meters:
            last = connection.remove(stale, held.meters - meters)
            applied = Applied(last.applied_unix_s, applied.barrier_s + last.barrier_s)
        self._installed = Installed(rules, meters)
        return applied


def _identity(rule: Rule) -> Identity:
    return (rule.key, rule.cookie)


def _rate_bps(entry: FlowCounters, base: Sample, window_s: float) -> float | None:
    if window_s <= 0:
        return None
    before = base.bytes.get(_identity(entry.rule))
    if before is not None and entry.bytes >= before:
        return (entry.bytes - before) * 8 / window_s
    age_s = min(entry.duration_s, window_s)  # installed since then
    return entry.bytes * 8 / age_s if age_s > 0 else None
