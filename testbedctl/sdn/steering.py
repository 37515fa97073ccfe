"""The operations of the northbound interface, on all switches: routes, cameras, shares, runs, counters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from ipaddress import IPv4Address, IPv4Network

from testbedctl.sdn.connection import Applied, Connection, Hub
from testbedctl.sdn.listing import (
    Document,
    flows_document,
    ports_document,
    share_document,
    switch_document,
)
from testbedctl.sdn.refusal import conflict, invalid, not_connected, not_found
from testbedctl.sdn.requests import Percentage, ShareRequest, parse_cameras, parse_routes, parse_share
from testbedctl.sdn.rules import (
    ANY_RUN,
    BASE_COOKIE,
    CAMERA_PRIORITY,
    ROUTE_PRIORITY,
    SHARE_PRIORITY,
    Desired,
    Pair,
    Share,
    pick,
)
from testbedctl.sdn.switch import Switch


class Steering:
    """What clients may ask. Every method takes and returns JSON documents and raises ``Refused``."""

    def __init__(self, hub: Hub):
        self._hub = hub
        self._switches: dict[str, Switch] = {}
        self._sharing = hub.lock()
        self._started_s = time.monotonic()

    def attach(self, connection: Connection) -> None:
        """A switch has connected."""
        known = self._switches.setdefault(connection.dpid, Switch(connection.dpid, self._hub))
        known.attach(connection)

    def detach(self, dpid: str) -> None:
        """A switch has gone; what was asked of it is kept for its return."""
        self._switches[dpid].detach()

    def refresh(self, dpid: str) -> None:
        """The ports of a switch have changed."""
        self._switches[dpid].refresh()

    def health(self) -> Document:
        """That the controller answers, for how long it has run, and how many switches are connected."""
        connected = sum(switch.connected for switch in self._switches.values())
        uptime_s = time.monotonic() - self._started_s
        return {"status": "ok", "pid": os.getpid(), "uptime_s": uptime_s, "switches": connected}

    def switches(self) -> Document:
        """The connected switches."""
        return {"switches": [switch_document(s) for s in self._switches.values() if s.connected]}

    def put_routes(self, dpid: str, body: object) -> Document:
        """Replace the routes of a switch."""
        routes = parse_routes(body)
        switch = self._switch(dpid)

        def change(desired: Desired) -> Desired:
            named = {f"vdpi_ports[{i}]": port for i, port in enumerate(routes.vdpi_ports)}
            _check_ports({"camera_port": routes.camera_port, **named}, switch)
            return replace(desired, routes=routes)

        applied = switch.update(change, [(BASE_COOKIE, ROUTE_PRIORITY)])
        return {"switch": dpid, "routes": asdict(routes), **asdict(applied)}

    def put_cameras(self, dpid: str, body: object) -> Document:
        """Replace the cameras of one run on a switch."""
        cookie, cameras = parse_cameras(body)
        switch = self._switch(dpid)

        def change(desired: Desired) -> Desired:
            _check_ports({f"cameras[{i}].output_port": c.output_port for i, c in enumerate(cameras)}, switch)
            taken = {c.pair for other, those in desired.cameras.items() if other != cookie for c in those}
            _refuse_taken(taken.intersection(c.pair for c in cameras), "are cameras of another run")
            return desired.with_cameras(cookie, cameras)

        applied = switch.update(change, [(cookie, CAMERA_PRIORITY)])
        return {"switch": dpid, "cookie": cookie, "cameras": len(cameras), **asdict(applied)}

    def shares(self) -> Document:
        """The shares in force."""
        found = [share for switch in self._switches.values() for share in switch.desired.shares.values()]
        return {"shares": [share_document(share) for share in sorted(found, key=lambda s: s.applied_unix_s)]}

    def create_share(self, body: object) -> Document:
        """Let another vDPI serve whole cameras."""
        request = parse_share(body)
        with self._sharing:
            if self._holder(request.id) is not None:
                raise conflict(f"there is a share {request.id!r} already")
            return self._put_share(self._switch(request.switch), request)

    def change_share(self, share_id: str, body: object) -> Document:
        """Change the cameras, the port or the limit of a share."""
        request = parse_share(body, share_id)
        with self._sharing:
            switch, share = self._share(share_id)
            if (request.switch, request.cookie) != (share.switch, share.cookie):
                raise conflict(f"share {share_id!r} belongs to switch {share.switch}, cookie {share.cookie}")
            return self._put_share(switch, request)

    def delete_share(self, share_id: str) -> Document:
        """Give the cameras of a share back to their own vDPI."""
        with self._sharing:
            switch, share = self._share(share_id)
            applied = switch.update(lambda desired: desired.without_share(share_id))
            return {**share_document(share), **asdict(applied)}

    def delete_run(self, cookie: int) -> Document:
        """Remove all shares and cameras of a run from every switch, also those that an earlier controller
        process installed."""
        return {"cookie": cookie, **self._reduce(lambda desired: desired.without_run(cookie), cookie)}

    def delete_all_runs(self) -> Document:
        """Remove all shares and cameras of every run from every switch, and leave the routes."""
        return self._reduce(Desired.without_runs, ANY_RUN)

    def flows(self, dpid: str) -> Document:
        """The flow entries of a switch."""
        return flows_document(self._switch(dpid))

    def ports(self, dpid: str) -> Document:
        """The ports of a switch."""
        return ports_document(self._switch(dpid))

    def _reduce(self, change: Callable[[Desired], Desired], cookie: int) -> Document:
        """Take something away from every switch, with the rules of the run that the cookie stands for."""
        switches = list(self._switches.values())
        for switch in switches:
            if not switch.connected and change(switch.desired) != switch.desired:
                raise not_connected(switch.dpid)
        claims = [(cookie, CAMERA_PRIORITY), (cookie, SHARE_PRIORITY)]
        shares: list[str] = []
        applied: list[Applied] = []
        for switch in switches:
            if switch.connected:
                shares += sorted(set(switch.desired.shares) - set(change(switch.desired).shares))
                applied.append(switch.update(change, claims))
        last_unix_s = max((a.applied_unix_s for a in applied), default=time.time())
        barrier_s = sum(a.barrier_s for a in applied)
        return {"shares": shares, "applied_unix_s": last_unix_s, "barrier_s": barrier_s}

    def _put_share(self, switch: Switch, request: ShareRequest) -> Document:
        wanted = request.flows
        pairs = self._pick(switch, request, wanted) if isinstance(wanted, Percentage) else wanted
        made: list[Share] = []

        def change(desired: Desired) -> Desired:
            _check_ports({"output_port": request.output_port}, switch)
            _refuse_taken(_shared(desired, request.id).intersection(pairs), "are in another share")
            made.append(_share_of(request, pairs, switch))
            return desired.with_share(made[0])

        applied = switch.update(change)
        return {**share_document(made[0]), **asdict(applied)}

    def _pick(self, switch: Switch, request: ShareRequest, wanted: Percentage) -> tuple[Pair, ...]:
        cameras = {
            camera.pair: camera.output_port
            for those in switch.desired.cameras.values()
            for camera in those
            if IPv4Address(camera.pair.destination) in IPv4Network(wanted.destination)
        }
        if not cameras:
            raise conflict(f"no cameras of {wanted.destination} are known on switch {switch.dpid}")
        rates = dict.fromkeys(cameras, 0.0)
        for flow in switch.measure_now():
            rule = flow.counters.rule
            pair = Pair(rule.source or "", rule.destination or "")
            if pair in rates:
                rates[pair] += flow.rate_bps or 0.0
        taken = _shared(switch.desired, request.id)
        free = {p: r for p, r in rates.items() if p not in taken and cameras[p] != request.output_port}
        pairs = pick(free, sum(rates.values()) * wanted.percentage / 100)
        if not pairs:
            raise conflict(
                f"no whole camera of {wanted.destination} fits into {wanted.percentage:g} % of "
                f"{sum(rates.values()) / 1e6:.3f} Mb/s ({len(free)} of {len(cameras)} cameras are free)"
            )
        return pairs

    def _switch(self, dpid: str) -> Switch:
        """Raises 404 for a switch that was never seen and 503 for one that is not connected."""
        switch = self._switches.get(dpid)
        if switch is None:
            raise not_found(f"switch {dpid}; connected are: {', '.join(self._switches) or 'none'}")
        if not switch.connected:
            raise not_connected(dpid)
        return switch

    def _holder(self, share_id: str) -> Switch | None:
        return next((s for s in self._switches.values() if share_id in s.desired.shares), None)

    def _share(self, share_id: str) -> tuple[Switch, Share]:
        switch = self._holder(share_id)
        share = switch.desired.shares.get(share_id) if switch is not None else None
        if switch is None or share is None:
            raise not_found(f"share {share_id!r}")
        return switch, share


def _share_of(request: ShareRequest, pairs: tuple[Pair, ...], switch: Switch) -> Share:
    old = switch.desired.shares.get(request.id)
    meter_id = None
    if request.limit_bps is not None:
        same = old is not None and old.limit_bps == request.limit_bps
        meter_id = old.meter_id if old is not None and same else switch.new_meter_id()
    return Share(
        id=request.id,
        switch=request.switch,
        source=request.source,
        target=request.target,
        output_port=request.output_port,
        flows=pairs,
        cookie=request.cookie,
        limit_bps=request.limit_bps,
        meter_id=meter_id,
    )


def _shared(desired: Desired, but: str) -> set[Pair]:
    return {pair for share in desired.shares.values() if share.id != but for pair in share.flows}


def _check_ports(named: dict[str, str], switch: Switch) -> None:
    known = ", ".join(sorted(switch.ports))
    wrong = {
        field: f"switch {switch.dpid} has no port {port!r}; it has {known}"
        for field, port in named.items()
        if port not in switch.ports
    }
    if wrong:
        raise invalid(wrong)


def _refuse_taken(pairs: Collection[Pair], why: str) -> None:
    if pairs:
        listed = ", ".join(sorted(f"{pair.source} to {pair.destination}" for pair in pairs))
        raise conflict(f"{listed} {why}")
