"""The plain part of a testbed: hosts, learning switches, and the links between them.

Hosts that can reach each other without a router share a prefix: 10.200.0.0/16 for the first such segment,
10.201.0.0/16 for the second, and so on. A host's number in the spec is its number in each of its segments.
"""

from __future__ import annotations

from collections import Counter

from testbedctl.backends.local.plan import FABRIC, Bridge, Cable, End, Switch
from testbedctl.errors import UsageError
from testbedctl.spec.testbed import Testbed
from testbedctl.units import bps

FIRST_PREFIX = 200
MAX_SEGMENTS = 54  # the next prefix is the underlay's


def cables(testbed: Testbed) -> list[Cable]:
    """A veth pair for each link of the spec."""
    segments = _segments(testbed)
    numbers = {name: number for number, name in enumerate(testbed.hosts, 1)}
    used: Counter[str] = Counter()
    seen: Counter[tuple[str, int]] = Counter()

    def end(name: str, link: int, side: str) -> End:
        if name in testbed.switches:
            return End(FABRIC, f"l{link + 1}{side}")
        interface, segment = f"eth{used[name]}", segments[link]
        number = numbers[name] + seen[name, segment] * len(numbers)  # a second link into the same segment
        used[name] += 1
        seen[name, segment] += 1
        return End(name, interface, None, (f"10.{FIRST_PREFIX + segment}.{number // 256}.{number % 256}/16",))

    return [
        Cable(
            end(link.ends[0], index, "a"),
            end(link.ends[1], index, "b"),
            rate_bps=bps(link.rate_mbps) if link.rate_mbps else None,
            delay_s=link.delay_ms / 1000 if link.delay_ms else None,
        )
        for index, link in enumerate(testbed.links)
    ]


def switches(testbed: Testbed) -> list[Switch]:
    """All plain switches are bridges of one instance, joined by veth (patch ports end at 64 in a row)."""
    if not testbed.switches:
        return []
    ports: dict[str, list[str]] = {name: [] for name in testbed.switches}
    for number, link in enumerate(testbed.links, 1):
        for name, side in zip(link.ends, "ab", strict=True):
            if name in ports:
                ports[name].append(f"l{number}{side}")
    return [
        Switch(FABRIC, tuple(Bridge(f"sw{k}", tuple(ports[n])) for k, n in enumerate(testbed.switches, 1)))
    ]


def _segments(testbed: Testbed) -> list[int]:
    """The segment of each link, numbered from 0 as they appear: switches join links, hosts do not."""
    parent = list(range(len(testbed.links)))

    def root(link: int) -> int:
        while parent[link] != link:
            parent[link] = parent[parent[link]]
            link = parent[link]
        return link

    first_at: dict[str, int] = {}
    for index, link in enumerate(testbed.links):
        for name in link.ends:
            if name in testbed.switches:
                one, other = sorted((root(index), root(first_at.setdefault(name, index))))
                parent[other] = one
    order: dict[int, int] = {}
    found = [order.setdefault(root(index), len(order)) for index in range(len(parent))]
    if len(order) > MAX_SEGMENTS:
        raise UsageError(
            f"the links form {len(order)} separate networks, and the local backend carries {MAX_SEGMENTS}",
            hint="join hosts by a switch instead of linking them to each other",
        )
    return found
