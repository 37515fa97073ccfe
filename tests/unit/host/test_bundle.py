"""The support bundle holds what helps, and no secret."""

from __future__ import annotations

import socket
import stat
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbedctl.cli.main import app
from testbedctl.errors import RunFailed, UsageError
from testbedctl.host import bundle, paths

TOKEN = "s3cr3t-northbound-Token"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab's state with a journal, logs that leak, and secrets of its own and in the runtime directory."""
    monkeypatch.setenv("TESTBEDCTL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", "/srv/people/erika")
    monkeypatch.setenv("SUDO_USER", "erika")
    monkeypatch.setattr(paths, "RUNTIME_ROOT", tmp_path / "run")
    state = tmp_path / "state/slice-sharing"
    (state / "logs").mkdir(parents=True)
    (tmp_path / "run/slice-sharing").mkdir(parents=True)
    (tmp_path / "run/slice-sharing/controller.token").write_text(TOKEN + "\n")
    (state / "journal.jsonl").write_text('{"seq": 1, "kind": "netns", "name": "tb-1"}\n')
    (state / "logs/controller.log").write_text(
        f"started with {TOKEN}\nAuthorization: Bearer abcdef123456\nopened /home/max/papers/x.pcap\n"
        f"wrote /srv/people/erika/run and {Path.cwd()}/runs on {socket.gethostname()} for erika\n"
        'password=hunter22 "api_key": "k-12345" https://max:pw@proxy:3128/ --token tok-9876\n'
        "id 0123456789abcdef0123456789abcdef\n"
    )
    (state / "server.key").write_text("PRIVATE")
    (state / "my-secret.yaml").write_text("x: y")
    (state / "ovs.db").write_bytes(b"\x00\x01")
    (state / "link.log").symlink_to("/etc/shadow")
    return state


def members(file: Path) -> dict[str, str]:
    with tarfile.open(file) as archive:
        found = {m.name: archive.extractfile(m) for m in archive.getmembers()}
        return {name: stream.read().decode() for name, stream in found.items() if stream}


def write(tmp_path: Path, lab: str | None = None) -> dict[str, str]:
    bundle.write(tmp_path / "b.tar.gz", {"doctor.json": "{}"}, lab, tmp_path / "runs")
    return members(tmp_path / "b.tar.gz")


@pytest.mark.usefixtures("lab")
def test_it_holds_the_journal_and_the_logs_and_not_the_secret_files(tmp_path: Path) -> None:
    assert sorted(name.removeprefix("testbedctl-support/") for name in write(tmp_path)) == [
        "doctor.json",
        "labs/slice-sharing/journal.jsonl",
        "labs/slice-sharing/logs/controller.log",
    ]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    "private",
    [TOKEN, "abcdef123456", "hunter22", "k-12345", "max", "pw@", "tok-9876", "erika", "0123456789abcdef0123"],
)
def test_nothing_private_is_left(tmp_path: Path, private: str) -> None:
    assert private not in "\n".join(write(tmp_path).values())


@pytest.mark.usefixtures("lab")
def test_what_helps_is_still_there(tmp_path: Path) -> None:
    text = "\n".join(write(tmp_path).values())
    assert '"kind": "netns", "name": "tb-1"' in text
    assert "/home/USER/papers/x.pcap" in text and "wrote ~/run and CWD/runs on HOST for USER" in text


@pytest.mark.usefixtures("lab")
def test_the_newest_run_lends_its_manifest(tmp_path: Path) -> None:
    for run in ("20261101T000000Z-quick-aaaaaa", "20261102T000000Z-quick-bbbbbb.partial"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "manifest.json").write_text('{"status": "running"}')
    found = [name for name in write(tmp_path) if "/runs/" in name]
    assert found == ["testbedctl-support/runs/20261102T000000Z-quick-bbbbbb.partial/manifest.json"]


def test_only_the_end_of_a_long_log_is_taken(tmp_path: Path, lab: Path) -> None:
    (lab / "logs/long.log").write_text("first\n" + "x y\n" * bundle.TAIL_BYTES + "last\n")
    text = write(tmp_path)["testbedctl-support/labs/slice-sharing/logs/long.log"]
    assert len(text) == bundle.TAIL_BYTES and text.endswith("last\n")


@pytest.mark.usefixtures("lab")
def test_an_unknown_lab_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no lab 'other'") as caught:
        write(tmp_path, "other")
    assert "slice-sharing" in (caught.value.hint or "")
    assert not (tmp_path / "b.tar.gz").exists()


@pytest.mark.usefixtures("lab")
def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        write(tmp_path)
    assert (tmp_path / "b.tar.gz").read_text() == "mine"


@pytest.mark.usefixtures("lab")
def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="No such file"):
        bundle.write(tmp_path / "no/b.tar.gz", {}, None, tmp_path)


@pytest.mark.usefixtures("lab")
def test_the_command_writes_a_bundle_for_its_owner_only(tmp_path: Path) -> None:
    target = tmp_path / "out.tar.gz"
    result = CliRunner().invoke(app, ["support-bundle", "--lab", "slice-sharing", "--output", str(target)])
    assert result.exit_code == 0 and result.stdout == f"{target}\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert '"testbedctl.doctor/1"' in members(target)["testbedctl-support/doctor.json"]
