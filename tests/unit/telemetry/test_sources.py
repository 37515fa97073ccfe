"""What is read from control groups, processes, switches and engines, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from testbedctl.errors import InvalidFile
from testbedctl.telemetry import cgroups, inspection, processes
from testbedctl.telemetry.config import AgentConfig, Cgroups, SwitchControl
from testbedctl.telemetry.ledger import Ledger
from testbedctl.telemetry.switch import ask_rules, parse_received, parse_rules

NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls
    lo:     100    1    0    0    0     0    0    0      100       1    0    0    0     0    0    0
  eth0: 7000000000 9    0    0    0     0    0    0      250       2    0    0    0     0    0    0
eth1:55            9    0    0    0     0    0    0       45       2    0    0    0     0    0    0
"""
CAMERA = "priority=200,ip,in_port=1,nw_src=10.8.0.1,nw_dst=10.8.0.9"
FLOWS = f"""duration=7s, n_packets=12, n_bytes=1200, {CAMERA},actions=output:2
duration=7s, n_packets=5, n_bytes=500, priority=200,ip,nw_src=10.8.0.2,nw_dst=10.8.0.9,actions=drop
duration=7s, n_packets=3, n_bytes=300, ip,nw_src=10.8.0.0/24,nw_dst=10.8.0.9,actions=meter:1,output:3
duration=7s, n_packets=2, n_bytes=84, priority=10,arp,actions=NORMAL
duration=7s, n_packets=9, n_bytes=900, priority=5,actions=goto_table:1
table_id=1, duration=7s, n_packets=1, n_bytes=60, actions=CONTROLLER:65535
table_id=254, duration=7s, n_packets=77, n_bytes=7700, priority=2,recirc_id=0,actions=output:1
"""


def test_version_1_counts_nanoseconds(cgroup_v1: Cgroups) -> None:
    assert cgroups.cpu_seconds(cgroup_v1) == 1.234567891
    assert cgroups.throttled_seconds(cgroup_v1) == 2.500000001
    assert cgroups.memory_bytes(cgroup_v1) == 104857600 - 4194304
    assert cgroups.written_bytes(cgroup_v1) is None


def test_version_2_counts_microseconds(cgroup_v2: Cgroups) -> None:
    assert cgroups.cpu_seconds(cgroup_v2) == 1.234567
    assert cgroups.throttled_seconds(cgroup_v2) == 2.500001
    assert cgroups.memory_bytes(cgroup_v2) == 104857600 - 4194304
    assert cgroups.written_bytes(cgroup_v2) == 4608


def test_version_2_without_the_io_controller(cgroup_v2: Cgroups) -> None:
    Path(cgroup_v2.cpu, "io.stat").unlink()
    assert cgroups.written_bytes(cgroup_v2) is None


def test_a_control_group_that_is_gone(cgroups_gone: Cgroups) -> None:
    for read in (cgroups.cpu_seconds, cgroups.throttled_seconds, cgroups.memory_bytes, cgroups.members):
        with pytest.raises(OSError):
            read(cgroups_gone)


@pytest.fixture
def cgroups_gone(tmp_path: Path) -> Cgroups:
    gone = str(tmp_path / "gone")
    return Cgroups(1, gone, gone, gone)


def test_a_file_without_the_field(cgroup_v1: Cgroups) -> None:
    Path(cgroup_v1.cpu, "cpu.stat").write_text("nr_periods 1\n")
    with pytest.raises(ValueError, match="throttled_time"):
        cgroups.throttled_seconds(cgroup_v1)


def _process(proc: Path, pid: int, *, net_dev: str = NET_DEV, written: int = 0, start: int = 1) -> None:
    (proc / str(pid) / "net").mkdir(parents=True)
    (proc / str(pid) / "net" / "dev").write_text(net_dev)
    (proc / str(pid) / "io").write_text(
        f"rchar: 9\nread_bytes: 7\nwrite_bytes: {written}\ncancelled_write_bytes: 1\n"
    )
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b) S {' '.join(['0'] * 18)} {start} 0\n")


def test_traffic_is_the_sum_of_the_named_interfaces(tmp_path: Path) -> None:
    _process(tmp_path, 7)
    assert processes.traffic([6, 7], ["eth0", "eth1"], proc=tmp_path) == (7_000_000_055, 295)


def test_no_traffic_of_a_missing_interface_or_without_a_process(tmp_path: Path) -> None:
    _process(tmp_path, 7)
    with pytest.raises(ValueError, match="eth9"):
        processes.traffic([7], ["eth0", "eth9"], proc=tmp_path)
    with pytest.raises(ProcessLookupError):
        processes.traffic([6], ["eth0"], proc=tmp_path)


def test_written_bytes_know_a_process_by_its_start(tmp_path: Path) -> None:
    _process(tmp_path, 7, written=4096, start=33)
    assert processes.written_bytes([6, 7], proc=tmp_path) == {(7, "33"): 4096}


def test_this_process_has_an_account() -> None:
    assert len(processes.written_bytes([os.getpid()])) == 1


def test_a_ledger_never_falls() -> None:
    ledger: Ledger[str] = Ledger()
    assert ledger.update({"a": 10, "b": 5}) == 15
    assert ledger.update({"a": 12}) == 17  # b is gone, what it had counted stays
    assert ledger.update({"a": 3, "b": 1}) == 21  # both began again
    assert ledger.update({}) == 21


def test_rules_that_forward_and_those_that_do_not() -> None:
    rules = parse_rules(FLOWS)
    assert [(r.packets, r.forwards) for r in rules] == [
        (12, True), (5, False), (3, True), (2, True), (9, False), (1, False)
    ]  # fmt: skip
    assert [(r.source, r.destination) for r in rules[:3]] == [
        ("10.8.0.1", "10.8.0.9"),
        ("10.8.0.2", "10.8.0.9"),
        (None, None),
    ]
    assert rules[2].bytes == 300
    assert parse_rules("") == parse_rules("") == []


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (b'{"id":0,"result":null,"error":"no such bridge"}', "no such bridge"),
        (b"", "closed"),
        (None, "timed out"),
    ],
)
def test_a_switch_that_refuses_closes_or_is_silent(tmp_path: Path, reply: bytes | None, fault: str) -> None:
    control = tmp_path / "ctl"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if reply is None:
                    connection.recv(1)  # until the client gives up
                elif reply:
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        started = time.monotonic()
        with pytest.raises((OSError, ValueError), match=fault):
            ask_rules(SwitchControl(str(control), "br0")).answer(time.monotonic() + 0.2)
        assert time.monotonic() - started < 1
        thread.join(5)
        assert not thread.is_alive()


def test_packets_taken_are_summed_over_threads() -> None:
    stats = "main thread:\n  packets received: 12\n  x: 3\npmd thread 1:\n  packets received: 30\n"
    assert parse_received(stats) == 42
    with pytest.raises(ValueError, match="no user-space datapath"):
        parse_received("")


def test_a_switch_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask_rules(SwitchControl(str(tmp_path / "gone"), "br0"))


def _engine_file(path: Path, **changes: object) -> str:
    document = {
        "schema": "testbedctl.dpi/1",
        "heartbeat_unix_s": 1000.0,
        "dropped_packets": 2,
        "classes": [{"camera": "10.8.0.1", "protocol": "RTP", "packets": 3, "bytes": 300}],
    }
    path.write_text(json.dumps({**document, **changes}))
    return str(path)


def test_an_engine_with_a_fresh_heartbeat(tmp_path: Path) -> None:
    seen = inspection.read(_engine_file(tmp_path / "f"), now_unix_s=1001.5)
    assert seen.classes == [("10.8.0.1", "RTP", 3, 300)]
    assert seen.dropped_packets == 2


def test_an_engine_that_is_dead_or_not_ours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"heartbeat is 3\.0 s old"):
        inspection.read(_engine_file(tmp_path / "f"), now_unix_s=1003)
    with pytest.raises(ValueError, match="schema"):
        inspection.read(_engine_file(tmp_path / "f", schema="other/1"), now_unix_s=1000)
    with pytest.raises(FileNotFoundError):
        inspection.read(str(tmp_path / "gone"))
    (tmp_path / "half").write_text('{"schema": "testbed')
    with pytest.raises(ValueError):
        inspection.read(str(tmp_path / "half"))


def test_configuration_survives_its_file(config: AgentConfig) -> None:
    assert AgentConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lab":"x","domain":"d","listen":["a"],"vnfs":[]}'])
def test_a_configuration_that_is_none(text: str) -> None:
    with pytest.raises(InvalidFile):
        AgentConfig.from_json(text)


def test_a_configuration_with_an_unknown_key(config: AgentConfig) -> None:
    raw = json.loads(config.to_json())
    raw["vnfs"][0]["colour"] = "red"
    with pytest.raises(InvalidFile, match="colour"):
        AgentConfig.from_json(json.dumps(raw))
