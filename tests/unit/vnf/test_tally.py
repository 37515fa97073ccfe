"""Counts per camera and class, the file they go to, and classes by port."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from testbedctl.telemetry import inspection
from testbedctl.vnf.dpi import MeterReports
from testbedctl.vnf.ports import service_name
from testbedctl.vnf.tally import MAX_CLASSES, Tally


def test_counts_add_up_per_camera_and_class(tmp_path: Path) -> None:
    tally = Tally("payload", tmp_path / "dpi.json")
    tally.add("10.0.0.1", "RTP", 3, 300)
    tally.add("10.0.0.1", "RTP", 2, 200)
    tally.add("10.0.0.1", "DNS", 1, 80)
    tally.report(9, 4)
    tally.write()
    document = json.loads((tmp_path / "dpi.json").read_text())
    assert document["classes"] == [
        {"camera": "10.0.0.1", "protocol": "DNS", "packets": 1, "bytes": 80},
        {"camera": "10.0.0.1", "protocol": "RTP", "packets": 5, "bytes": 500},
    ]
    assert (document["inspected_packets"], document["inspected_bytes"]) == (6, 580)
    assert (document["captured_packets"], document["dropped_packets"]) == (9, 4)
    assert abs(document["heartbeat_unix_s"] - time.time()) < 5


def test_the_agent_reads_what_the_engine_writes(tmp_path: Path) -> None:
    tally = Tally("port", tmp_path / "dpi.json")
    tally.add("10.0.0.1", "http", 3, 300)
    tally.write()
    assert inspection.read(str(tmp_path / "dpi.json")).classes == [("10.0.0.1", "http", 3, 300)]


def test_the_number_of_classes_is_bounded_and_no_packet_is_lost(tmp_path: Path) -> None:
    tally = Tally("port", tmp_path / "dpi.json")
    for number in range(MAX_CLASSES + 50):
        tally.add("10.0.0.1", f"port-{number}", 1, 10)
    tally.add("10.0.0.1", "port-0", 1, 10)
    document = tally.document()
    assert document["inspected_packets"] == MAX_CLASSES + 51
    classes = document["classes"]
    assert isinstance(classes, list)
    assert len(classes) == MAX_CLASSES + 1
    assert {"camera": "other", "protocol": "other", "packets": 50, "bytes": 500} in classes


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    tally = Tally("payload", tmp_path / "dpi.json")
    for number in range(200):
        tally.add(f"10.0.0.{number}", "RTP", 1, 1)
    tally.write()
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            tally.write()

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(300):
            assert len(json.loads((tmp_path / "dpi.json").read_text())["classes"]) == 200
    finally:
        stop.set()
        writer.join()
    assert [p.name for p in tmp_path.iterdir()] == ["dpi.json"]


def test_ports_have_the_same_name_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_services_file(*_: object) -> str:
        raise OSError("port/proto not found")

    monkeypatch.setattr(socket, "getservbyport", no_services_file)
    assert service_name(40000, 53) == "domain"
    assert service_name(443, 51000) == "https"
    assert service_name(40000, 5201) == "port-5201"
    assert service_name(80, 554) == "rtsp"  # the destination decides
    assert service_name(0, 0) == "port-0"


def test_reports_are_taken_from_what_the_meter_prints(capsys: pytest.CaptureFixture[str]) -> None:
    reports: list[tuple[int, int]] = []
    stand_in = MeterReports(lambda captured, dropped: reports.append((captured, dropped)))
    line = {
        "flows_expired": 1,
        "packets_processed": 7,
        "packets_ignored": 0,
        "packets_dropped_filtered_by_kernel": 2,
    }
    print(json.dumps(line), file=stand_in)
    print("WARNING: something", file=stand_in)
    assert reports == [(7, 2)]
    assert capsys.readouterr().err == "WARNING: something\n"
