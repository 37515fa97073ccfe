"""The Ryu application of the access switches (vANs): OpenFlow 1.3, on os-ken or, unchanged, on Ryu 4.34.

    TESTBEDCTL_SDN_NORTHBOUND=unix:/run/nb.sock TESTBEDCTL_SDN_TOKEN_FILE=token ryu-manager app.py

It keeps the table of connected switches and opens the northbound interface; what is to be done on a switch
is decided in ``steering`` and carried out by ``switch`` and ``connection``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

try:
    from os_ken.base.app_manager import OSKenApp as App
    from os_ken.controller import ofp_event
    from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
    from os_ken.lib import hub
    from os_ken.ofproto import ofproto_v1_3
except ImportError:
    from ryu.base.app_manager import RyuApp as App
    from ryu.controller import ofp_event
    from ryu.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
    from ryu.lib import hub
    from ryu.ofproto import ofproto_v1_3

from testbedctl.errors import UsageError
from testbedctl.sdn.connection import Connection, Hub
from testbedctl.sdn.northbound import open_listener, read_token, serve
from testbedctl.sdn.steering import Steering

NORTHBOUND = "TESTBEDCTL_SDN_NORTHBOUND"
TOKEN_FILE = "TESTBEDCTL_SDN_TOKEN_FILE"
ANSWERS = [
    ofp_event.EventOFPBarrierReply,
    ofp_event.EventOFPErrorMsg,
    ofp_event.EventOFPFlowStatsReply,
    ofp_event.EventOFPMeterConfigStatsReply,
    ofp_event.EventOFPPortDescStatsReply,
    ofp_event.EventOFPPortStatsReply,
]


class AccessController(App):  # type: ignore[misc]  # the library has no types
    """Connects switches to the northbound interface."""

    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]  # noqa: RUF012  the library reads it from the class

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in (NORTHBOUND, TOKEN_FILE):
            if name not in os.environ:
                raise UsageError(f"the environment variable {name} is not set")
        hub_parts = Hub(hub.spawn, hub.sleep, hub.Queue, hub.QueueEmpty, hub.Semaphore)
        self.steering = Steering(hub_parts)
        self._hub = hub_parts
        self._connections: dict[int, Connection] = {}
        self._token = read_token(Path(os.environ[TOKEN_FILE]))
        self._listener = open_listener(os.environ[NORTHBOUND])

    def start(self) -> None:
        """Start to answer clients, and to take events."""
        super().start()
        hub.spawn(serve, self._listener, self.steering, self._token, hub.spawn)

    def close(self) -> None:
        """Stop to answer clients and let the switches go; they keep their rules."""
        self._listener.close()
        kind, _, path = os.environ[NORTHBOUND].partition(":")
        if kind == "unix":
            Path(path).unlink(missing_ok=True)
        for connection in list(self._connections.values()):
            connection.datapath.close()

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])  # type: ignore[untyped-decorator]
    def state_changed(self, event: Any) -> None:
        """A switch has finished its handshake, or its connection has ended."""
        datapath = event.datapath
        held = self._connections.get(datapath.id)
        if event.state == MAIN_DISPATCHER:
            if held is not None:
                held.closed()
            self._connections[datapath.id] = Connection(datapath, self._hub)
            self.steering.attach(self._connections[datapath.id])
        elif held is not None and held.datapath is datapath:  # not the end of an older connection
            del self._connections[datapath.id]
            held.closed()
            self.steering.detach(held.dpid)

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)  # type: ignore[untyped-decorator]
    def port_changed(self, event: Any) -> None:
        """A port came, went or changed its number."""
        held = self._connections.get(event.msg.datapath.id)
        if held is not None:
            self.steering.refresh(held.dpid)

    @set_ev_cls(ANSWERS, MAIN_DISPATCHER)  # type: ignore[untyped-decorator]
    def answered(self, event: Any) -> None:
        """A switch has answered a request."""
        held = self._connections.get(event.msg.datapath.id)
        if held is not None and held.datapath is event.msg.datapath:
            held.answered(event.msg)
