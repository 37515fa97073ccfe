"""The doors of the controller: token, addresses, and what the client says when nobody answers."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from testbedctl.errors import Foreign, HostUnfit, RunFailed, UsageError
from testbedctl.sdn.client import Controller
from testbedctl.sdn.northbound import check_private, open_listener, read_token


def token_file(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_token_is_read_without_its_newline(tmp_path: Path) -> None:
    assert read_token(token_file(tmp_path, "0123456789abcdef\n")) == b"0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("0123456789abcdef", 0o640, "open to others"),
        ("short", 0o600, "fewer than 16"),
        ("", 0o600, "fewer than 16"),
    ],
)
def test_a_token_file_that_is_no_good(tmp_path: Path, text: str, mode: int, words: str) -> None:
    with pytest.raises(HostUnfit, match=words):
        read_token(token_file(tmp_path, text, mode))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "10.0.0.1", "192.168.1.1", "172.16.0.1"])
def test_private_addresses_pass(host: str) -> None:
    check_private(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "8.8.8.8", "::1", "localhost", "", "255.255.255.255", "224.0.0.1"]
)
def test_other_addresses_do_not(host: str) -> None:
    with pytest.raises(UsageError):
        check_private(host)


@pytest.mark.parametrize(
    "address", ["unix:relative", "tcp:127.0.0.1", "tcp:127.0.0.1:x", "tcp:127.0.0.1:70000", "x"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError, match="neither unix:/path nor tcp:ADDRESS:PORT"):
        open_listener(address)


def test_a_unix_socket_is_ours_alone_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "nb.sock"
    open_listener(f"unix:{path}").close()
    assert path.is_socket()
    with open_listener(f"unix:{path}"):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(Foreign, match="another process listens"):
            open_listener(f"unix:{path}")


def test_something_else_in_the_way_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(Foreign, match="is in the way"):
        open_listener(f"unix:{path}")
    assert path.read_text() == "data"


def test_a_path_that_is_too_long_or_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 120), tmp_path / "none" / "nb.sock"):
        with pytest.raises(HostUnfit, match="cannot listen"):
            open_listener(f"unix:{path}")


def test_a_client_without_a_controller_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="does not answer GET /v1/health") as failed:
        Controller(f"unix:{tmp_path}/nb.sock", "t" * 16).health()
    assert failed.value.exit_code == 5
    assert failed.value.hint


def test_a_client_does_not_wait_for_ever_for_a_silent_controller(tmp_path: Path) -> None:
    with open_listener(f"unix:{tmp_path}/nb.sock"), pytest.raises(RunFailed, match="timed out"):
        Controller(f"unix:{tmp_path}/nb.sock", "t" * 16, timeout_s=0.1).shares()


def test_a_client_is_told_what_it_waited_for(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"was not ready within 0.05 s: .*does not answer"):
        Controller(f"unix:{tmp_path}/nb.sock", "t" * 16).wait_for("00000000000000a1", ["cam"], 0.05)


def test_an_answer_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    code = """if True:
        import socket, sys
        s = socket.socket(socket.AF_UNIX)
        s.bind(sys.argv[1]); s.listen(); print("up", flush=True)
        client, _ = s.accept(); client.recv(9999)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n<b"); client.close()
    """
    server = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s")], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    with pytest.raises(RunFailed, match="does not answer"):
        Controller(str(tmp_path / "s"), "t" * 16).health()
    server.communicate(timeout=10)


def test_tcp_on_loopback() -> None:
    with open_listener("tcp:127.0.0.1:0") as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5), pytest.raises(Foreign, match="in use"):
            open_listener(f"tcp:127.0.0.1:{port}")
