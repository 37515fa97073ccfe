"""The wheel, installed outside the checkout, has all that it needs with it."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the pinned backend that is installed already."""
    pytest.importorskip("hatchling", reason="the build backend is not installed: run ./setup.sh install")
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    run([*pip, "--no-build-isolation", "--wheel-dir", str(target), str(CHECKOUT)], target)
    [built] = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; the dependencies are those of this environment."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home / "env", with_pip=True)
    python = home / "env/bin/python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--no-deps", "--no-index", str(wheel)], home)
    [packages] = (home / "env/lib").glob("python*/site-packages")
    # addsitedir would follow the .pth file of an editable installation back to the checkout.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return home


def run(command: list[str], directory: Path) -> str:
    """Standard output of a command that must succeed, with nothing of the checkout in its environment."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "TESTBEDCTL_"))}
    clean["TESTBEDCTL_STATE"] = str(directory / "state")  # labs of this machine are none of its business
    done = subprocess.run(
        command, cwd=directory, env=clean, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def installed(elsewhere: Path, *arguments: str) -> str:
    return run([str(elsewhere / "env/bin/testbedctl"), *arguments], elsewhere)


def test_every_shipped_file_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    profiles = {
        f"testbedctl/_data/{p.relative_to(CHECKOUT)}" for p in (CHECKOUT / "profiles").rglob("*.yaml")
    }
    modules = {str(p.relative_to(CHECKOUT)) for p in (CHECKOUT / "testbedctl").rglob("*.py")}
    model = {f"testbedctl/forecast/runtime/shipped/{name}" for name in ("vnf-1s.onnx", "recording.json")}
    assert profiles and profiles | modules | model <= inside
    assert not any(name.startswith(("tests/", "docs/")) for name in inside)
    assert any(name.endswith("/licenses/LICENSE") for name in inside)


def test_it_is_the_installed_copy_that_runs(elsewhere: Path) -> None:
    code = (
        "import testbedctl, testbedctl.data as d; print(testbedctl.__file__); print(d.data_dir('profiles'))"
    )
    for path in run([str(elsewhere / "env/bin/python"), "-c", code], elsewhere).splitlines():
        assert Path(path).is_relative_to(elsewhere / "env"), path
        assert Path(path).exists()


def test_version(elsewhere: Path) -> None:
    from testbedctl import __version__

    assert installed(elsewhere, "--version") == f"testbedctl {__version__}\n"


def shipped(kind: str) -> list[str]:
    return sorted(file.stem for file in (CHECKOUT / "profiles" / kind).glob("*.yaml"))


@pytest.mark.parametrize("testbed", shipped("testbeds"))
def test_shipped_testbeds_are_found_by_name(elsewhere: Path, testbed: str) -> None:
    assert installed(elsewhere, "graph", testbed).startswith("flowchart")


@pytest.mark.parametrize("profile", shipped("stress"))
def test_shipped_profiles_are_found_by_name(elsewhere: Path, profile: str) -> None:
    assert profile in installed(elsewhere, "stress", profile, "--dry-run")


def test_init_writes_files_that_are_valid(elsewhere: Path) -> None:
    written = json.loads(installed(elsewhere, "init", "mine", "--json"))["written"]
    files = [name for name in written if name.endswith(".yaml")]
    assert len(files) >= 2
    assert json.loads(installed(elsewhere, "validate", *files, "--json"))["ok"] is True


def test_up_can_be_planned(elsewhere: Path) -> None:
    assert "slice-sharing" in installed(elsewhere, "up", "--plan")
