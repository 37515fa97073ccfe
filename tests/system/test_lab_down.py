"""``down`` with everything that can be missing: the lab, the spec, the boot it was made in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from testbedctl.host import paths
from tests.system.conftest import CHECKOUT, cli
from tests.system.snapshot import differences, snapshot

pytestmark = pytest.mark.usefixtures("untouched")


def test_an_unknown_lab_is_named_with_those_that_exist() -> None:
    none = cli("down", "--lab", "ghost")
    assert none.returncode == 2 and "there is no lab 'ghost'" in none.stderr
    assert cli("up", "line", "--lab", "real").returncode == 0
    one = cli("down", "--lab", "ghost")
    assert one.returncode == 2 and "labs: real" in one.stderr
    assert cli("down").returncode == 0


def test_the_second_down_finds_nothing() -> None:
    assert cli("up", "line", "--lab", "twice").returncode == 0
    first = cli("down", "--lab", "twice")
    assert first.returncode == 0 and first.stdout.startswith("lab twice is down") and "0 left" in first.stdout
    assert cli("down", "--lab", "twice").returncode == 2


def test_all_takes_none_and_several() -> None:
    assert cli("down", "--all").stdout == "no lab is up\n"
    assert json.loads(cli("down", "--all", "--json").stdout) == {"labs": []}
    for name in ("one", "two", "three"):
        assert cli("up", "line", "--lab", name).returncode == 0
    labs = json.loads(cli("down", "--all", "--json").stdout)["labs"]
    assert [lab["lab"] for lab in labs] == ["one", "three", "two"]
    assert all("3 network namespaces" in lab["removed"] for lab in labs)


def test_the_spec_may_be_gone(tmp_path: Path) -> None:
    before = snapshot()
    spec = tmp_path / "mine.yaml"
    shutil.copy(CHECKOUT / "profiles/testbeds/line.yaml", spec)
    assert cli("up", str(spec), "--lab", "orphan").returncode == 0
    spec.unlink()
    assert cli("exec", "left", "--", "true").returncode == 0
    assert cli("down", "--lab", "orphan").returncode == 0
    assert differences(before, snapshot()) == []


def test_after_a_reboot_only_files_are_removed(state: Path, tmp_path: Path) -> None:
    """What an earlier boot had made is gone; things of that name are somebody else's now."""
    assert cli("up", "line", "--lab", "rebooted").returncode == 0
    kept = tmp_path / "kept"
    shutil.copytree(state / "rebooted", kept)
    made = snapshot()
    journal = state / "rebooted/journal.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    records[0]["boot_id"] = "00000000-0000-4000-8000-000000000000"
    journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    down = cli("down", "--lab", "rebooted")
    assert down.returncode == 0
    changed = differences(made, snapshot())
    assert changed and all(line.startswith(f"files: - {state}") for line in changed)

    shutil.copytree(kept, state / "rebooted")  # the truth, so that it can be taken down
    assert cli("down", "--lab", "rebooted").returncode == 0


def test_an_obstacle_is_named_and_the_rest_goes() -> None:
    before = snapshot()
    assert cli("up", "line", "--lab", "stuck").returncode == 0
    obstacle = paths.runtime_dir("stuck") / "mounted"
    obstacle.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", obstacle], check=True)
    try:
        down = cli("down", "--lab", "stuck")
        assert down.returncode == 6, down.stderr
        assert "busy: 'mounted'" in down.stderr and f"directory {obstacle.parent}" in down.stderr
        assert "run 'down' again" in down.stderr
        assert not [n for n in snapshot()["namespaces"] if "stuck" in n]
    finally:
        subprocess.run(["umount", obstacle], check=True)
    assert cli("down", "--lab", "stuck").returncode == 0
    assert differences(before, snapshot()) == []


def test_a_program_that_hides_from_the_journal_is_found() -> None:
    """What a user started on a node by hand is in the node's namespace and groups."""
    assert cli("up", "line", "--lab", "busy").returncode == 0
    script = "setsid sleep 600 >/dev/null 2>&1 </dev/null & echo started"
    assert cli("exec", "left", "--", "sh", "-c", script).stdout == "started\n"
    down = cli("down", "--lab", "busy")
    assert down.returncode == 0 and "3 processes" in down.stdout
