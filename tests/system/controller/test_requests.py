"""What the northbound interface refuses, and how it says so; every command of its reference."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from testbedctl.sdn.client import Controller, ControllerRefused
from testbedctl.sdn.requests import Percentage
from testbedctl.sdn.rules import Camera, Pair
from tests.system.controller.lab import CAMERAS, DPID, ROOT, SINK, Lab, wanted


def test_conflicts_are_refused_and_change_nothing(lab: Lab, controller: Controller, cookie: int) -> None:
    controller.create_share(wanted(cookie, CAMERAS[0]))
    held = lab.switch_flows().keys()
    for request, words in (
        (wanted(cookie, CAMERAS[1]), "there is a share 's1' already"),
        (wanted(cookie, CAMERAS[0], CAMERAS[1], id="s2"), f"{CAMERAS[0]} to {SINK} are in another share"),
        (replace(wanted(cookie), id="s3", flows=Percentage("10.9.9.9", 50)), "no cameras of 10.9.9.9"),
    ):
        with pytest.raises(ControllerRefused, match=words) as refused:
            controller.create_share(request)
        assert refused.value.status == 409
    with pytest.raises(ControllerRefused, match="cameras of another run") as refused:
        controller.put_cameras(DPID, cookie + 1, [Camera(Pair(CAMERAS[0], SINK), "vdpi1")])
    assert refused.value.status == 409
    with pytest.raises(ControllerRefused, match="belongs to switch"):
        controller.change_share(wanted(cookie + 1, CAMERAS[0]))
    assert lab.switch_flows().keys() == held


def test_unknown_things_are_named(controller: Controller, cookie: int) -> None:
    with pytest.raises(ControllerRefused, match="there is no share 'nope'") as refused:
        controller.delete_share("nope")
    assert refused.value.status == 404
    with pytest.raises(ControllerRefused, match="there is no switch 00000000000000ff") as refused:
        controller.flows("00000000000000ff")
    assert refused.value.status == 404
    with pytest.raises(ControllerRefused, match="has no port 'vdpi9'; it has br, cam, vdpi1") as refused:
        controller.create_share(wanted(cookie, CAMERAS[0], port="vdpi9"))
    assert (refused.value.status, list(refused.value.fields)) == (400, ["output_port"])


@pytest.mark.usefixtures("controller")
def test_no_or_a_wrong_token_is_refused(lab: Lab) -> None:
    with pytest.raises(ControllerRefused, match="no valid token") as refused:
        Controller(f"unix:{lab.socket}", "x" * 32).switches()
    assert refused.value.status == 401
    assert lab.token not in refused.value.message
    answer = curl(lab, "/v1/health", token=None)
    assert answer[0] == 401
    assert lab.socket.stat().st_mode & 0o777 == 0o600


def curl(
    lab: Lab,
    path: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    token: str | None = "",
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """A request by hand, for what the client cannot send."""
    own = {} if token is None else {"Authorization": f"Bearer {token or lab.token}"}
    own |= headers or {}
    own.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{key}: {value}" for key, value in own.items())]
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(lab.socket))
        client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        return answer.status, json.loads(answer.read())


@pytest.mark.usefixtures("controller")
def test_every_wrong_field_is_named_at_once(lab: Lab) -> None:
    body = {
        "id": "a b",
        "switch": "x",
        "target": "t",
        "output_port": "",
        "flows": [{"source": "1.2.3"}],
        "hue": 1,
    }
    status, document = curl(lab, "/v1/shares", method="POST", body=json.dumps(body).encode())
    assert status == 400
    wrong = {
        "id",
        "switch",
        "source",
        "output_port",
        "flows[0].source",
        "flows[0].destination",
        "hue",
        "cookie",
    }
    assert set(document["error"]["fields"]) == wrong
    assert "found '1.2.3'" in document["error"]["fields"]["flows[0].source"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/shares", b"{", 400),
        ("POST", "/v1/shares", b"[]", 400),
        ("POST", "/v1/shares", b"\xff\xfe", 400),
        ("PUT", "/v1/switches/zz/routes", b"{}", 400),
        ("DELETE", "/v1/runs/-1", b"", 400),
        ("DELETE", "/v1/runs/99999999999999999999", b"", 400),
        ("GET", "/v1/nothing", b"", 404),
        ("GET", "/v1/shares/../../etc/passwd", b"", 405),
        ("PATCH", "/v1/shares", b"{}", 405),
        ("BREW", "/v1/shares", b"", 501),
    ],
)
def test_bad_requests_get_json_answers(
    lab: Lab, controller: Controller, method: str, path: str, body: bytes, status: int
) -> None:
    found, document = curl(lab, path, method=method, body=body)
    assert found == status
    assert document["error"]["message"]
    assert controller.health()["status"] == "ok"


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(("length", "status"), [("99999999999", 413), ("-1", 400), ("ten", 400)])
def test_a_body_of_a_wrong_length_is_not_read(lab: Lab, length: str, status: int) -> None:
    found, document = curl(lab, "/v1/shares", method="POST", headers={"Content-Length": length})
    assert found == status
    assert length in document["error"]["message"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="not installed: curl")
def test_every_command_of_the_reference_works(lab: Lab) -> None:
    text = (ROOT / "docs/reference/northbound.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    settings = {**os.environ, "SOCKET": str(lab.socket), "TOKEN": lab.token, "DPID": DPID}
    script = ["bash", "-euo", "pipefail", "-c", "".join(blocks)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=30, env=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == "".join(blocks).count("\ncall ")
    assert lab.controller.shares() == []
    assert {key[0] for key in lab.switch_flows()} == {50}
