"""Reading what iperf3 wrote; the recorded documents are iperf3 3.12's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from testbedctl.errors import RunFailed
from testbedctl.traffic.flows import per_second
from testbedctl.traffic.iperf import Iperf
from testbedctl.traffic.schedule import Camera, Schedule, Step

Recorded = Callable[[str], str]
UDP = Iperf("udp", 1400)


def camera(seconds: int) -> Camera:
    return Camera("s/3", "s", 3, 4_000_000, 10, 10 + seconds, "10.8.3.7", "10.9.0.1", 5302)


def edited(text: str, change: Callable[[dict[str, object]], object]) -> str:
    document = json.loads(text)
    change(document)
    return json.dumps(document)


def test_the_command_lines_bind_both_ends() -> None:
    server = UDP.server(camera(4))
    assert server[:3] == ["iperf3", "-s", "--one-off"]
    assert server[server.index("-B") + 1] == "10.9.0.1"
    client = UDP.client(camera(4))
    options = dict(pairwise(client))
    assert options["-c"] == "10.9.0.1"
    assert (options["-B"], options["-p"], options["-b"], options["-l"], options["-t"]) == (
        "10.8.3.7",
        "5302",
        "4000000",
        "1400",
        "4",
    )
    assert "-u" in client
    assert "-u" not in Iperf("tcp", 1400).client(camera(4))


def test_a_shaped_stream_is_read_second_by_second(recorded: Recorded) -> None:
    """4 Mb/s into a 3 Mb/s shaper; the server's series has a fifth, short interval."""
    columns = UDP.columns(camera(4), recorded("shaped.client"), recorded("shaped.server"))
    assert list(columns.sent_packets or []) == [357, 357, 358, 357]
    assert sum(columns.delivered_bytes) == 1_493_800
    assert [size // 1400 for size in columns.delivered_bytes] == list(columns.delivered_packets or [])
    assert [size // 1400 for size in columns.sent_bytes] == list(columns.sent_packets or [])
    assert all(90 <= lost <= 110 for lost in list(columns.lost_packets or [])[1:])
    assert all(0.001 < jitter < 0.002 for jitter in columns.jitter_s or [])


def test_late_datagrams_are_taken_back_from_the_loss(recorded: Recorded) -> None:
    """iperf3 prints an interval's loss below zero as 2⁶⁴ − n."""

    def late(document: Any) -> None:
        second, third = (interval["streams"][0] for interval in document["intervals"][1:3])
        second["lost_packets"] += third["lost_packets"] + 5
        third["lost_packets"] = 2**64 - 5

    server = edited(recorded("shaped.server"), late)
    columns = UDP.columns(camera(4), recorded("shaped.client"), server)
    untouched = UDP.columns(camera(4), recorded("shaped.client"), recorded("shaped.server"))
    assert sum(columns.lost_packets or []) == sum(untouched.lost_packets or [])
    assert min(columns.lost_packets or []) < 0


def test_sent_is_delivered_and_lost_to_the_last_packet(recorded: Recorded) -> None:
    """The server never saw the last datagram's number: it counts 361 lost where 362 were."""
    columns = UDP.columns(camera(4), recorded("shaped.client"), recorded("shaped.server"))
    sent, delivered, lost = (
        sum(column or [])
        for column in (columns.sent_packets, columns.delivered_packets, columns.lost_packets)
    )
    assert (sent, delivered, lost) == (1429, 1067, 362)


def test_a_client_that_stalled_still_adds_up(recorded: Recorded) -> None:
    """Stopped from 1.4 s to 2.7 s; its second interval is 1.7 s long, the server's are not."""
    columns = UDP.columns(camera(4), recorded("stalled.client"), recorded("stalled.server"))
    sent, delivered = list(columns.sent_packets or []), list(columns.delivered_packets or [])
    assert len(sent) == len(delivered) == 4
    assert sum(sent) == sum(delivered) == 1429
    assert sum(columns.lost_packets or [1]) == 0


def test_rows_carry_the_trials_seconds_and_steps(recorded: Recorded) -> None:
    plan = Schedule("s", 14, (Step(1, 0, 12, 0.0), Step(2, 12, 14, 0.0)), (camera(4),))
    columns = UDP.columns(camera(4), recorded("shaped.client"), recorded("shaped.server"))
    rows = columns.rows(camera(4), plan)
    assert [(r.camera, r.service, r.second, r.step) for r in rows] == [
        ("s/3", "s", 10, 1),
        ("s/3", "s", 11, 1),
        ("s/3", "s", 12, 2),
        ("s/3", "s", 13, 2),
    ]


def test_tcp_has_bytes_and_no_packets(recorded: Recorded) -> None:
    columns = Iperf("tcp", 1400).columns(camera(2), recorded("tcp.client"), recorded("tcp.server"))
    assert sum(columns.sent_bytes) == sum(columns.delivered_bytes) == 999_600
    assert (
        columns.sent_packets is columns.delivered_packets is columns.lost_packets is columns.jitter_s is None
    )


def test_a_dead_path_is_an_error_though_iperf3_says_zero_lost(recorded: Recorded) -> None:
    client = recorded("dead-path.client")
    assert json.loads(client)["end"]["sum"]["lost_percent"] == 0
    with pytest.raises(RunFailed, match="camera s/3: iperf3 server: not one datagram arrived"):
        UDP.columns(camera(2), client, recorded("dead-path.server"))


@pytest.mark.parametrize(
    ("client", "server", "message"),
    [
        ("server-killed.client", "shaped.server", "client: control socket has closed unexpectedly"),
        ("shaped.client", "client-killed.server", "server: the client has unexpectedly closed"),
        (
            "omit.client",
            "omit.server",
            "server: its intervals add up to 2000600 bytes, its total says 1500800",
        ),
    ],
)
def test_a_recorded_failure_names_camera_side_and_cause(
    recorded: Recorded, client: str, server: str, message: str
) -> None:
    with pytest.raises(RunFailed, match=rf"camera s/3: iperf3 {message}"):
        UDP.columns(camera(3), recorded(client), recorded(server))


@pytest.mark.parametrize("text", ["", "  \n", "{", "{}", "[]", '{"start": {}, "intervals": [], "end": {}}'])
@pytest.mark.parametrize("side", ["client", "server"])
def test_half_a_document_is_an_error(recorded: Recorded, text: str, side: str) -> None:
    texts = {"client": recorded("shaped.client"), "server": recorded("shaped.server")} | {side: text}
    with pytest.raises(RunFailed, match=rf"camera s/3: iperf3 {side}: it wrote"):
        UDP.columns(camera(4), texts["client"], texts["server"])


def test_a_short_or_empty_series_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(RunFailed, match=r"client: its series ends after 4.0 of 5 s"):
        UDP.columns(camera(5), recorded("shaped.client"), recorded("shaped.server"))
    empty = edited(recorded("shaped.server"), lambda document: document.update(intervals=[]))
    with pytest.raises(RunFailed, match=r"server: its series ends after 0.0 of 4 s"):
        UDP.columns(camera(4), recorded("shaped.client"), empty)


def test_a_missing_interval_is_an_error(recorded: Recorded) -> None:
    holed = edited(recorded("shaped.server"), lambda document: document["intervals"].pop(1))  # type: ignore[attr-defined]
    with pytest.raises(RunFailed, match=r"server: its intervals add up to .* its total says"):
        UDP.columns(camera(4), recorded("shaped.client"), holed)


def test_duplicates_are_an_error(recorded: Recorded) -> None:
    def duplicate(document: dict[str, object]) -> None:
        document["intervals"][0]["streams"][0]["bytes"] += 1400  # type: ignore[index]
        document["end"]["sum_received"]["bytes"] += 1400  # type: ignore[index]

    with pytest.raises(RunFailed, match="duplicated"):
        UDP.columns(camera(4), recorded("shaped.client"), edited(recorded("shaped.server"), duplicate))


def test_a_fault_is_read_from_the_document_since_the_exit_code_is_zero(recorded: Recorded) -> None:
    assert UDP.fault(recorded("server-killed.client")) == "control socket has closed unexpectedly"
    assert UDP.fault(recorded("shaped.client")) is None
    assert UDP.fault("") is None


@pytest.mark.parametrize(
    ("ends_s", "amounts", "seconds", "spread"),
    [
        ([1.0, 2.0], [10, 20], 2, [10, 20]),
        ([1.0001, 2.0002, 2.05], [10, 20, 3], 2, [10, 23]),
        ([1.5, 2.0], [30, 10], 2, [20, 20]),
        ([2.0, 2.0, 3.0], [20, 0, 10], 3, [10, 10, 10]),
        ([0.999], [10], 1, [10]),
    ],
)
def test_intervals_become_seconds_without_losing_a_packet(
    ends_s: list[float], amounts: list[int], seconds: int, spread: list[int]
) -> None:
    assert per_second(ends_s, amounts, seconds) == spread
    assert sum(spread) == sum(amounts)
