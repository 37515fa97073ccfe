"""What ``up`` must refuse: foreign things in the way, names that could do harm, no root, a full disk."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.system.conftest import cli, command, environment
from tests.system.snapshot import differences, snapshot

pytestmark = pytest.mark.usefixtures("untouched")
LAB = "in-the-way"
BAD_NAMES = ["a;reboot", "../x", "x" * 200, "<b>", "", "Big", "a/b", "a\nb", "-a", "a.b", "$(id)"]


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


@contextmanager
def foreign_namespace() -> Iterator[str]:
    name = f"tbc.{LAB}.left"
    ip("netns", "add", name)
    try:
        yield f"network namespace {name}"
        assert Path("/run/netns", name).exists()
    finally:
        ip("netns", "del", name)


@contextmanager
def directory(path: Path, said: str) -> Iterator[str]:
    """A directory of somebody else's with something in it where the file system allows that."""
    path.mkdir(parents=True)
    try:
        yield said
        assert path.is_dir()
    finally:
        path.rmdir()
        if path.parent.name == "testbedctl":
            path.parent.rmdir()


def foreign_group() -> AbstractContextManager[str]:
    root = next(p for p in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")) if p.is_dir())
    return directory(root / "testbedctl" / LAB, f"control group testbedctl/{LAB}")


def foreign_runtime() -> AbstractContextManager[str]:
    return directory(Path("/run/testbedctl") / LAB, f"directory /run/testbedctl/{LAB}")


@pytest.mark.parametrize("foreign", [foreign_namespace, foreign_group, foreign_runtime])
def test_foreign_things_are_named_and_left_alone(foreign: Callable[[], AbstractContextManager[str]]) -> None:
    with foreign() as what:
        before = snapshot()
        up = cli("up", "line", "--lab", LAB, "--json")
        assert up.returncode == 4
        assert what in json.loads(up.stdout)["error"]["message"]
        assert differences(before, snapshot()) == []
        assert cli("down", "--lab", LAB).returncode == 2
        assert cli("down", "--all").returncode == 0
        assert differences(before, snapshot()) == []


def test_a_foreign_state_directory_is_left_alone(state: Path) -> None:
    precious = state / LAB / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    up = cli("up", "line", "--lab", LAB)
    assert up.returncode == 4 and f"directory {precious.parent}" in up.stderr
    assert cli("down", "--lab", LAB).returncode == 2
    assert cli("down", "--all").returncode == 0
    assert precious.read_text() == "years of work"
    shutil.rmtree(state)


def test_interfaces_of_the_host_with_names_like_ours_are_not_touched() -> None:
    ip("link", "add", "van1", "type", "veth", "peer", "name", "vdpi1")
    ip("link", "add", "br0", "type", "bridge")
    try:
        before = snapshot(), [ip("-d", "link", "show", name) for name in ("van1", "vdpi1", "br0")]
        assert cli("up", "--lab", LAB).returncode == 0
        during = [ip("-d", "link", "show", name) for name in ("van1", "vdpi1", "br0")]
        assert snapshot()["interfaces"] == before[0]["interfaces"] and during == before[1]
        assert cli("down", "--lab", LAB).returncode == 0
        after = [ip("-d", "link", "show", name) for name in ("van1", "vdpi1", "br0")]
        assert differences(before[0], snapshot()) == [] and after == before[1]
    finally:
        ip("link", "del", "van1")
        ip("link", "del", "br0")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_lab_is_not_given_a_harmful_name(name: str) -> None:
    before = snapshot()
    up = cli("up", "line", f"--lab={name}", "--json")
    error = json.loads(up.stdout)["error"]
    assert up.returncode == 2 == error["exit"]
    assert "cannot be the name of a lab" in error["message"] and "\n" not in error["message"]
    assert len(error["message"]) < 200
    assert cli("down", f"--lab={name}").returncode == 2
    assert differences(before, snapshot()) == []


def test_other_commands_do_not_take_a_harmful_name_either() -> None:
    before = snapshot()
    for command_line in (("up", "line", "--plan"), ("status",), ("logs",), ("exec", "left", "true")):
        assert cli(*command_line, "--lab=../x").returncode == 2
    assert differences(before, snapshot()) == []


@pytest.mark.parametrize(
    "place", ["name: {}", "name: a\nhosts: {{{}: {{}}}}", "name: a\nswitches: {{{}: {{}}}}"]
)
def test_a_spec_with_harmful_names_is_refused_with_a_line_for_each(tmp_path: Path, place: str) -> None:
    before = snapshot()
    for number, name in enumerate(n for n in BAD_NAMES if n):
        spec = tmp_path / f"spec{number}.yaml"
        rest = "\nhosts: {h: {}}\n" if "hosts" not in place else "\n"
        spec.write_text(place.format(json.dumps(name)) + rest)
        up = cli("up", str(spec), "--json")
        error = json.loads(up.stdout)["error"]
        assert up.returncode == 2, up.stdout
        assert len(error["places"]) == 1
        assert error["places"][0]["line"] == place.count("\n") + 1
        assert "lower-case letters" in error["places"][0]["message"]
    assert differences(before, snapshot()) == []


@pytest.mark.parametrize("arguments", [("up", "line"), ("down", "--all"), ("status",), ("logs",)])
def test_without_root_one_line_says_so(arguments: tuple[str, ...]) -> None:
    # the capability to read lets it find this checkout wherever that is
    lone = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    may_read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    done = subprocess.run(
        ["setpriv", *lone, *may_read, *command(*arguments)],
        capture_output=True, text=True, check=False, timeout=60, env=environment(),
    )  # fmt: skip
    assert done.returncode == 4
    assert len(done.stderr.strip().splitlines()) == 2, done.stderr  # what, and a hint
    assert "not root" in done.stderr


@pytest.mark.parametrize("size", ["4k", "16k", "200k"])
def test_a_full_disk_is_said_and_rolled_back(tmp_path: Path, size: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)], check=True)
    try:
        before = snapshot()
        up = cli("up", "--lab", LAB, "--json", TESTBEDCTL_STATE=str(disk))
        error = json.loads(up.stdout)["error"]
        assert up.returncode == 5, error
        assert f"no space is left on the disk of {disk}" in error["message"]
        assert "TESTBEDCTL_STATE" in error["hint"]
        assert "Traceback" not in up.stderr
        assert differences(before, snapshot()) == []
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
