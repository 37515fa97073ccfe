"""What the local backend cannot carry: refused before anything is made, with one clear line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testbedctl.backends.local.plan import FABRIC, MANAGEMENT, MAX_SERVICES, TRANSPORT
from testbedctl.errors import UsageError
from testbedctl.spec.quoting import quote
from testbedctl.spec.testbed import NAME_PATTERN, NAME_RULE, Testbed

MAX_VDPIS = 254
"""The underlay gives each a number of one byte."""

CAMERAS = "cameras"
"""The node of each service that its cameras send from."""


def check(testbed: Testbed, lab: str) -> None:
    """Raise ``UsageError`` if the lab's name, a node's name or the size of the testbed does not do here."""
    if not re.fullmatch(NAME_PATTERN, lab):
        raise UsageError(
            f"{quote(lab)} cannot be the name of a lab: {NAME_RULE}", hint="choose another with --lab"
        )
    problems = [*_reserved(testbed), *_too_many(testbed)]
    if problems:
        raise UsageError(f"the local backend cannot carry this testbed: {'; '.join(problems)}")


def _reserved(testbed: Testbed) -> Iterator[str]:
    taken = ({MANAGEMENT, TRANSPORT} if testbed.services else set()) | (
        {FABRIC} if testbed.switches else set()
    )
    for name in (*testbed.hosts, *testbed.services):
        if name in taken:
            yield f"the name {name!r} is that of a node which testbedctl adds"
    for service, spec in testbed.services.items():
        if CAMERAS in spec.vnfs:
            yield f"the name '{service}/{CAMERAS}' is that of a node which testbedctl adds"


def _too_many(testbed: Testbed) -> Iterator[str]:
    vdpis = sum(v.type == "vdpi" for service in testbed.services.values() for v in service.vnfs.values())
    for count, most, what in ((len(testbed.services), MAX_SERVICES, "services"), (vdpis, MAX_VDPIS, "vDPIs")):
        if count > most:
            yield f"{count} {what} are more than {most}"
