"""Documents from clients: what is taken, and that every wrong field is named."""

from __future__ import annotations

from typing import Any

import pytest

from testbedctl.sdn.refusal import Refused
from testbedctl.sdn.requests import (
    MAX_COOKIE,
    Percentage,
    parse_cameras,
    parse_cookie,
    parse_dpid,
    parse_routes,
    parse_share,
)
from testbedctl.sdn.rules import Camera, Pair, Routes

ROUTES = {
    "camera_port": "cam",
    "prefix": "10.1.1.0/24",
    "destination": "10.9.0.1",
    "default_port": "v1",
    "vdpi_ports": ["v1", "v2"],
}
FLOW = {"source": "10.1.1.1", "destination": "10.9.0.1"}
SHARE = {
    "id": "s1",
    "switch": "00000000000000a1",
    "source": "service1/vdpi",
    "target": "service2/vdpi",
    "output_port": "v2",
    "flows": [FLOW],
    "cookie": 7,
}


def wrong(parse: Any, document: object) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        parse(document)
    assert refused.value.status == 400
    for field in refused.value.fields:
        assert field in refused.value.message
    return refused.value.fields


def test_routes() -> None:
    assert parse_routes(ROUTES) == Routes("cam", "10.1.1.0/24", "10.9.0.1", "v1", ("v1", "v2"))
    assert parse_routes({**ROUTES, "destination": "10.9.0.1/32"}).destination == "10.9.0.1"


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"prefix": "10.1.1.1/24"}, {"prefix"}),
        ({"prefix": 10, "destination": "fe80::1"}, {"prefix", "destination"}),
        ({"default_port": "v9"}, {"default_port"}),
        ({"camera_port": "v1"}, {"camera_port"}),
        ({"vdpi_ports": []}, {"vdpi_ports"}),
        ({"vdpi_ports": ["v1", "a;reboot", 3]}, {"vdpi_ports[1]", "vdpi_ports[2]"}),
        ({"name": "<b>", "x": 1}, {"name", "x"}),
    ],
)
def test_wrong_routes(changes: dict[str, object], fields: set[str]) -> None:
    assert set(wrong(parse_routes, {**ROUTES, **changes})) == fields


def test_cameras() -> None:
    row = {"source": "10.1.1.1", "destination": "10.9.0.1", "output_port": "v1"}
    assert parse_cameras({"cookie": 7, "cameras": [row]}) == (
        7,
        (Camera(Pair("10.1.1.1", "10.9.0.1"), "v1"),),
    )
    assert parse_cameras({"cookie": 7, "cameras": []}) == (7, ())
    assert set(wrong(parse_cameras, {"cookie": 7, "cameras": [row, row]})) == {"cameras[1]"}
    found = wrong(parse_cameras, {"cookie": True, "cameras": [row, 5, {**row, "source": "10.1.1.0/24"}]})
    assert set(found) == {"cookie", "cameras[1]", "cameras[2].source"}


def test_a_share_of_named_flows_or_of_a_percentage() -> None:
    share = parse_share(SHARE)
    assert share.flows == (Pair("10.1.1.1", "10.9.0.1"),)
    assert share.limit_bps is None
    percentage = {"destination": "10.9.0.1", "percentage": 40}
    assert parse_share({**SHARE, "flows": percentage}).flows == Percentage("10.9.0.1", 40.0)
    prefix = {"destination": "10.9.0.0/20", "percentage": 40}
    assert parse_share({**SHARE, "flows": prefix}).flows == Percentage("10.9.0.0/20", 40.0)
    assert parse_share({**SHARE, "limit_bps": 5_000_000}).limit_bps == 5_000_000


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"id": "../x;y"}, {"id"}),
        ({"id": "x" * 200}, {"id"}),
        ({"switch": "A1"}, {"switch"}),
        ({"cookie": 0}, {"cookie"}),
        ({"cookie": MAX_COOKIE + 1}, {"cookie"}),
        ({"cookie": 1.0}, {"cookie"}),
        ({"limit_bps": 0}, {"limit_bps"}),
        ({"limit_bps": -5}, {"limit_bps"}),
        ({"limit_bps": 10**13}, {"limit_bps"}),
        ({"flows": []}, {"flows"}),
        ({"flows": "all"}, {"flows"}),
        ({"flows": [FLOW, FLOW]}, {"flows[1]"}),
        ({"flows": {"destination": "10.9.0.1", "percentage": 0}}, {"flows.percentage"}),
        ({"flows": {"destination": "10.9.0.1", "percentage": 101}}, {"flows.percentage"}),
        ({"flows": {"destination": "10.9.0.1", "percentage": float("nan")}}, {"flows.percentage"}),
        ({"flows": {"destination": "x", "per": 1}}, {"flows.percentage", "flows.destination", "flows.per"}),
    ],
)
def test_wrong_shares(changes: dict[str, object], fields: set[str]) -> None:
    assert set(wrong(parse_share, {**SHARE, **changes})) == fields


@pytest.mark.parametrize("document", [None, [], "share", 5])
def test_a_body_that_is_no_object(document: object) -> None:
    assert wrong(parse_share, document) == {"body": "must be a JSON object"}


def test_the_id_in_the_address_counts() -> None:
    body = {key: value for key, value in SHARE.items() if key != "id"}
    assert parse_share(body, "s1").id == "s1"
    assert set(wrong(lambda document: parse_share(document, "s2"), SHARE)) == {"id"}


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "9007199254740992", "", "0x1", "１"])
def test_wrong_cookies_in_an_address(text: str) -> None:
    assert set(wrong(parse_cookie, text)) == {"cookie"}


def test_ids_in_an_address() -> None:
    assert parse_cookie("9007199254740991") == MAX_COOKIE
    assert parse_dpid("00000000000000a1") == "00000000000000a1"
    assert set(wrong(parse_dpid, "a1")) == {"switch"}
