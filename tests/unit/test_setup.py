"""setup.sh on a machine of fake programs: what it adds, guards, records and takes back."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from fakes.machine import WANTED, FakeMachine, interrupt, wait_for


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def one_line(err: str) -> str:
    assert err.count("\n") == 1, err
    return err


# --- what it says at once ---


def test_not_root(machine: FakeMachine) -> None:
    code, err = machine.run("install", FAKE_UID="1000")
    assert code == 4 and "not root" in one_line(err) and "sudo -E ./setup.sh install" in err


@pytest.mark.parametrize("release", ["ID=fedora\n", "ID=arch\nID_LIKE=notdebianlike\n", ""])
def test_not_debian(machine: FakeMachine, release: str) -> None:
    machine.system(release)
    code, err = machine.run("demo")
    assert code == 4 and "not Debian or Ubuntu" in one_line(err) and "Debian 12" in err


def test_a_system_without_os_release(machine: FakeMachine) -> None:
    (machine.root / "etc/os-release").unlink()
    code, err = machine.run("test")
    assert code == 4 and "not Debian or Ubuntu" in one_line(err)


def test_python_is_too_old(machine: FakeMachine) -> None:
    machine.python(fits=1)
    code, err = machine.run("install")
    assert code == 4 and "Python 3.9.2 does not fit" in one_line(err) and "apt-get install python3.11" in err
    assert machine.calls("apt") == []


@pytest.mark.parametrize("verb", ["", "instal", "--help"])
def test_usage(machine: FakeMachine, verb: str) -> None:
    code, err = machine.run(verb)
    assert code == 2 and "usage: ./setup.sh {install|train|demo|test|uninstall}" in one_line(err)


@pytest.mark.parametrize(
    "release", ["ID=debian\n", "ID=ubuntu\nID_LIKE=debian\n", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n']
)
def test_debian_and_its_kin(machine: FakeMachine, release: str) -> None:
    machine.system(release)
    assert machine.run("install")[0] == 0


# --- packages ---


def test_only_missing_packages_are_installed_and_only_new_ones_recorded(machine: FakeMachine) -> None:
    code, err = machine.run("install")
    assert code == 0, err
    assert machine.installed() >= WANTED
    recorded = set((machine.state / "packages").read_text().split())
    assert recorded == (WANTED - {"procps", "util-linux"}) | {"libfake"}
    install = next(c for c in machine.calls("apt") if "install" in c and "simulate" not in c)
    assert "--no-install-recommends" in install and "procps" not in install


def test_the_second_call_installs_nothing_and_is_quick(machine: FakeMachine) -> None:
    machine.run("install")
    before = machine.calls("apt"), machine.calls("python")
    started = time.monotonic()
    code, err = machine.run("install")
    assert code == 0 and one_line(err).startswith("setup: ready")
    assert (machine.calls("apt"), machine.calls("python")) == before
    assert time.monotonic() - started < 3


def test_a_python_without_venv_gets_its_package(machine: FakeMachine) -> None:
    machine.python(modules=1)
    machine.run("install")
    assert "python3.11-venv" in machine.installed()


def test_a_machine_without_any_python_gets_debians(machine: FakeMachine) -> None:
    machine.without_python()
    code, err = machine.run("install")
    assert code == 0, err
    assert {"python3", "python3-venv"} <= machine.installed()


def test_package_lists_that_cannot_be_renewed_are_a_warning(machine: FakeMachine) -> None:
    code, err = machine.run("install", FAKE_UPDATE="100")
    assert code == 0 and "apt-get update reported errors" in err


def test_a_package_that_does_not_exist(machine: FakeMachine) -> None:
    code, err = machine.run("install", FAKE_UNKNOWN="1")
    assert code == 5 and "Unable to locate package iperf3" in err
    assert not machine.policy.exists()


def test_a_second_setup_is_refused(machine: FakeMachine) -> None:
    first = machine.start("install", FAKE_HANG="1")
    wait_for(machine.fake / "hanging")
    code, err = machine.run("install")
    interrupt(first)
    assert code == 4 and "another setup.sh is at work" in one_line(err)


# --- services ---


def test_services_are_denied_and_an_existing_policy_comes_back_as_it_was(machine: FakeMachine) -> None:
    machine.policy.write_bytes(b"#!/bin/sh\n# mine\xff\nexit 0\n")
    machine.policy.chmod(0o750)
    before = machine.policy.read_bytes(), machine.policy.stat()
    machine.run("install")
    assert "policy 101" in machine.calls("apt")
    after = machine.policy.stat()
    assert machine.policy.read_bytes() == before[0]
    assert (after.st_mode, after.st_ino, after.st_mtime_ns) == (
        before[1].st_mode,
        before[1].st_ino,
        before[1].st_mtime_ns,
    )
    assert [p.name for p in machine.policy.parent.iterdir()] == ["policy-rc.d"]


def test_without_a_policy_there_is_none_afterwards(machine: FakeMachine) -> None:
    machine.run("install")
    assert list(machine.policy.parent.iterdir()) == []


@pytest.mark.parametrize("existing", [True, False])
def test_ctrl_c_in_the_middle(machine: FakeMachine, existing: bool) -> None:
    if existing:
        machine.policy.write_text("mine")
    process = machine.start("install", FAKE_HANG="1")
    wait_for(machine.fake / "hanging")
    assert interrupt(process) == 130
    assert machine.policy.exists() == existing
    assert not existing or machine.policy.read_text() == "mine"
    assert len((machine.state / "packages").read_text().split()) == 1  # the one that apt-get got to


@pytest.mark.parametrize("next_call", ["install", "uninstall"])
def test_kill_9_in_the_middle_is_made_good_by_the_next_call(machine: FakeMachine, next_call: str) -> None:
    machine.policy.write_text("mine")
    before = machine.installed()
    process = machine.start("install", FAKE_HANG="1")
    wait_for(machine.fake / "hanging")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert machine.policy.read_text() != "mine" and len(machine.installed() - before) == 1
    code, err = machine.run(next_call)
    assert code == 0, err
    assert machine.policy.read_text() == "mine"
    assert machine.run("uninstall")[0] == 0
    assert machine.installed() == before


def test_a_failed_installation_says_why_and_cleans_up(machine: FakeMachine) -> None:
    code, err = machine.run("install", FAKE_BREAK="1")
    assert code == 5 and "disk full" in err
    assert not machine.policy.exists()
    assert len((machine.state / "packages").read_text().split()) == 1  # half-installed counts


@pytest.mark.parametrize("booted", [True, False])
def test_new_units_are_disabled_and_stopped(machine: FakeMachine, booted: bool) -> None:
    if booted:
        (machine.root / "run/systemd/system").mkdir(parents=True)
    machine.run("install")
    stop = ["--quiet stop prometheus.service"] if booted else []
    assert machine.calls("systemctl") == ["--quiet disable prometheus.service", *stop]


def test_units_of_packages_that_were_there_are_left_alone(machine: FakeMachine) -> None:
    machine.status(*(f"{name} installed" for name in WANTED))
    machine.run("install")
    assert machine.calls("systemctl") == machine.calls("apt") == []


# --- Python ---


def test_dependencies_are_installed_with_hashes_and_rebuilt_when_the_lock_changes(
    machine: FakeMachine,
) -> None:
    machine.run("install")
    calls = machine.calls("python")
    assert calls[0] == "venv" and len(calls) == 4
    assert all("--require-hashes" in call for call in calls[1:3])
    assert "--no-deps" in calls[3]
    assert all("--no-build-isolation" in call for call in calls[2:])
    with (machine.checkout / "constraints.txt").open("a") as file:
        file.write("# changed\n")
    machine.run("install")
    assert len(machine.calls("python")) == 2 * len(calls)


def torch_installs(machine: FakeMachine) -> list[str]:
    return [call for call in machine.calls("python") if "torch==" in call]


@pytest.mark.parametrize("verb", ["install", "demo"])
def test_what_only_training_needs_is_not_installed_for_labs(machine: FakeMachine, verb: str) -> None:
    assert machine.run(verb)[0] == 0
    assert not any("torch" in call or "constraints-train" in call for call in machine.calls("python"))


def test_train_adds_torch_without_dependencies_and_once(machine: FakeMachine) -> None:
    code, err = machine.run("train")
    assert code == 0, err
    assert any(
        "--require-hashes" in call and "constraints-train.txt" in call for call in machine.calls("python")
    )
    assert len(torch_installs(machine)) == 1 and "--no-deps" in torch_installs(machine)[0]
    before = machine.calls("python")
    code, err = machine.run("train")
    assert code == 0 and one_line(err).startswith("setup: ready") and machine.calls("python") == before


def test_an_index_with_cuda_builds_only(machine: FakeMachine) -> None:
    code, err = machine.run("train", FAKE_CUDA="1")
    assert code == 0 and "only for CUDA" in err and "several GB" in err
    assert ["--no-deps" in call for call in torch_installs(machine)] == [True, False]


def test_a_foreign_venv_is_refused_and_kept(machine: FakeMachine) -> None:
    (machine.checkout / ".venv").mkdir()
    code, err = machine.run("install")
    assert code == 4 and "was not made by setup.sh" in err
    machine.run("uninstall")
    assert (machine.checkout / ".venv").is_dir()


def test_demo_runs_the_demo(machine: FakeMachine) -> None:
    code, _ = machine.run("demo")
    assert (code, machine.calls("python")[-1]) == (0, "demo")


# --- test ---


def test_test_checks_everything_and_counts_the_skips(machine: FakeMachine) -> None:
    code, err = machine.run("test")
    assert code == 0, err
    assert "setup: unit tests: 7 run, 2 skipped\nsetup: system tests: 7 run, 2 skipped\n" in err
    assert machine.calls("check") == ["ruff check .", "ruff format --check .", "mypy --strict"]
    assert machine.calls("python")[-2:] == ["pytest tests/unit", "pytest tests/system"]


def test_test_fails_when_anything_fails_and_names_all_of_it(machine: FakeMachine) -> None:
    code, err = machine.run("test", FAKE_MYPY="1", FAKE_PYTEST="1")
    assert code == 1 and "failed: mypy,unit tests,system tests" in err
    assert "system tests: 7 run" in err


def test_test_fails_when_pytest_dies(machine: FakeMachine) -> None:
    code, err = machine.run("test", FAKE_PYTEST="137")
    assert code == 1 and "unit tests: no result" in err


# --- uninstall ---


def test_uninstall_takes_back_what_was_added_and_nothing_else(machine: FakeMachine) -> None:
    before = machine.installed()
    machine.run("install")
    (machine.state.parent / ".measuring.lock").touch()
    code, err = machine.run("uninstall")
    assert code == 0, err
    assert machine.installed() == before
    assert not machine.state.parent.exists() and not (machine.checkout / ".venv").exists()
    purged = next(c for c in machine.calls("dpkg") if c.startswith("--purge")).split()
    assert "tcpdump" not in purged, "its configuration was there before"
    assert "iperf3" in purged


def test_uninstall_of_nothing(machine: FakeMachine) -> None:
    code, err = machine.run("uninstall")
    assert (code, machine.calls("dpkg")) == (0, []), err


def test_uninstall_while_a_lab_is_up(machine: FakeMachine) -> None:
    machine.run("install")
    (machine.home / "state/mylab").mkdir()
    (machine.home / "state/mylab/journal.jsonl").touch()
    code, err = machine.run("uninstall")
    assert code == 4 and "mylab" in one_line(err) and "down --all" in err
    assert machine.calls("dpkg") == []


def test_uninstall_while_a_lab_is_up_whose_state_is_elsewhere(machine: FakeMachine) -> None:
    machine.run("install")
    (machine.root / "run/testbedctl/mylab").mkdir(parents=True)
    (machine.root / "run/testbedctl/mylab/lab").write_text("/elsewhere/mylab\n")
    code, err = machine.run("uninstall")
    assert code == 4 and "/elsewhere/mylab" in one_line(err)
    assert machine.calls("dpkg") == []


def test_a_package_that_others_need_by_now_stays_and_is_named(machine: FakeMachine) -> None:
    machine.run("install")
    code, err = machine.run("uninstall", FAKE_NEEDED="iperf3")
    assert code == 6 and "iperf3" in err and "later depends on iperf3" in err
    assert machine.run("uninstall")[0] == 0
    assert "iperf3" not in machine.installed()
