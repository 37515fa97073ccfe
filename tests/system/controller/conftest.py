"""One switch and one controller for all tests of a file; nothing of a test's run is left for the next."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbedctl.sdn.client import Controller
from testbedctl.sdn.rules import Camera, Pair
from tests.system.controller.lab import CAMERAS, DPID, ROUTES, SINK, VDPI_PORTS, WAIT_S, Lab

PROGRAMS = ("ip", "ethtool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovsdb-tool")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces and Open vSwitch")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    made = Lab(f"sdn{secrets.token_hex(3)}", Path(tempfile.mkdtemp(prefix="sdn-")))
    try:
        made.build()
        made.start_controller()
        made.controller.wait_for(DPID, ("cam", *VDPI_PORTS), WAIT_S)
        yield made
    finally:
        made.destroy()


@pytest.fixture
def cookie() -> int:
    return secrets.randbelow(2**40) + 1


@pytest.fixture
def controller(lab: Lab, cookie: int) -> Iterator[Controller]:
    """Routes and four cameras announced; nothing of the run left afterwards."""
    found = lab.controller
    found.wait_for(DPID, ("cam", *VDPI_PORTS), WAIT_S)
    found.put_routes(DPID, ROUTES)
    found.put_cameras(DPID, cookie, [Camera(Pair(source, SINK), "vdpi1") for source in CAMERAS[:4]])
    yield found
    found.delete_run(cookie)
    assert found.shares() == []
    assert {key[0] for key in lab.switch_flows()} == {50}
