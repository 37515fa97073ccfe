"""The commands validate, graph, init and schema, as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbedctl.data import data_dir
from testbedctl.spec.loader import load_profile, load_testbed

ROOT = Path(__file__).parents[3]
BAD = ROOT / "tests" / "bad"
QUICK = str(data_dir("profiles") / "stress" / "quick.yaml")
LINE = str(data_dir("profiles") / "testbeds" / "line.yaml")


def testbedctl(*words: str, cwd: Path = BAD) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "testbedctl", *words]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


testbedctl.__test__ = False  # type: ignore[attr-defined]  # the name begins like a test's


def test_validate_says_ok_for_each_file() -> None:
    done = testbedctl("validate", LINE, QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"ok  {LINE}  testbed line", f"ok  {QUICK}  stress profile quick"]


def test_validate_knows_what_ships_by_its_name() -> None:
    done = testbedctl("validate", "line", "quick", "classes")
    kinds = [line.split("  ")[2] for line in done.stdout.splitlines()]
    assert kinds == ["testbed line", "stress profile quick", "classes file classes"], done.stderr


def test_validate_shows_every_place_on_stderr_and_exits_2() -> None:
    done = testbedctl("validate", "bad-names.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (BAD / "bad-names.txt").read_text(encoding="utf-8")


def test_validate_goes_on_after_a_wrong_file() -> None:
    done = testbedctl("validate", "empty.yaml", LINE, "no-such.yaml")
    assert done.returncode == 2
    assert done.stdout == f"ok  {LINE}  testbed line\n"
    assert "2 of 3 files cannot be used" in done.stderr
    assert "`testbedctl schema testbed|profile|classes` prints" in done.stderr
    assert (
        "no-such.yaml:1:1: no such file" in done.stderr and "empty.yaml:1:1: the file is empty" in done.stderr
    )


def test_validate_json_is_one_document_with_every_file() -> None:
    done = testbedctl("validate", "--json", "bad-vni.yaml", QUICK)
    assert (done.returncode, done.stderr) == (2, "")
    document = json.loads(done.stdout)
    assert document["ok"] is False
    wrong, right = document["files"]
    assert (wrong["file"], wrong["ok"]) == ("bad-vni.yaml", False)
    assert [(p["line"], p["column"]) for p in wrong["places"]] == [(11, 10)]
    assert right == {"file": QUICK, "ok": True, "kind": "stress profile", "name": "quick", "places": []}
    assert testbedctl("validate", "--json", QUICK).returncode == 0


def test_validate_shows_what_follows_from_what_is_written(tmp_path: Path) -> None:
    vnfs = "{van: {type: van, flavour: f}, vdpi: {type: vdpi, flavour: f, class: T2, domain: edge}, "
    vnfs += "vsre: {type: vsre, wishes: {slice: eMBB}}}"
    text = f"name: lab\nflavours: {{f: {{vcpus: 1}}}}\nservices: {{s: {{vni: 1, vnfs: {vnfs}}}}}\n"
    (tmp_path / "lab.yaml").write_text(text)
    shown = testbedctl("validate", "lab.yaml", cwd=tmp_path)
    assert shown.stdout.splitlines()[:2] == [
        "ok  lab.yaml  testbed lab",
        "    s/van: T1, 1 vCPU, 1024 MiB, edge",
    ]
    assert "        domain core: central-office is not in this testbed; T2 goes to core" in shown.stdout
    document = json.loads(testbedctl("validate", "--json", "lab.yaml", cwd=tmp_path).stdout)
    resolved = {choice["vnf"]: choice for choice in document["files"][0]["resolved"]}
    assert list(resolved) == ["s/van", "s/vsre"], "a VNF that leaves nothing out is not told of"
    assert (resolved["s/vsre"]["vnf_class"], resolved["s/vsre"]["domain"]) == ("T2", "core")
    assert len(resolved["s/vsre"]["reasons"]) == 3


@pytest.mark.parametrize(
    ("words", "start"),
    [([], "flowchart LR"), (["--format", "dot"], 'graph "line" {'), (["--format", "svg"], "<svg ")],
)
def test_graph_prints_to_stdout(words: list[str], start: str) -> None:
    done = testbedctl("graph", "line", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(start)


def test_graph_writes_a_file(tmp_path: Path) -> None:
    done = testbedctl("graph", "line", "--format", "svg", "--output", str(tmp_path / "line.svg"))
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "line.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_graph_of_a_wrong_file_or_into_no_directory_exits_2(tmp_path: Path) -> None:
    assert testbedctl("graph", "bad-links.yaml").returncode == 2
    done = testbedctl("graph", "line", "--output", str(tmp_path / "no" / "where"))
    assert done.returncode == 2 and "cannot write" in done.stderr


def test_init_writes_files_that_load_and_refuses_to_overwrite(tmp_path: Path) -> None:
    done = testbedctl("init", "my lab", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    made = tmp_path / "my lab"
    names = ["slice-sharing.yaml", "testbed.schema.json", "quick.yaml", "profile.schema.json"]
    assert done.stdout.splitlines() == [f"my lab/{name}" for name in names]
    assert load_testbed(made / "slice-sharing.yaml") == load_testbed("slice-sharing")
    assert load_profile(made / "quick.yaml") == load_profile("quick")
    for name, schema in (("slice-sharing.yaml", "testbed"), ("quick.yaml", "profile")):
        first = (made / name).read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema={schema}.schema.json"
        assert json.loads((made / f"{schema}.schema.json").read_text(encoding="utf-8"))["title"]

    (made / "quick.yaml").write_text("mine\n")
    (made / "slice-sharing.yaml").unlink()
    again = testbedctl("init", "my lab", cwd=tmp_path)
    assert again.returncode == 2 and "my lab/quick.yaml" in again.stderr
    assert (made / "quick.yaml").read_text() == "mine\n"
    assert not (made / "slice-sharing.yaml").exists()


def test_init_where_a_file_stands_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = testbedctl("init", "taken", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "cannot write" in done.stderr


def test_init_json_lists_what_was_written(tmp_path: Path) -> None:
    document = json.loads(testbedctl("init", "--json", cwd=tmp_path).stdout)
    assert sorted(document["written"]) == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["testbed", "profile", "classes"])
def test_schema_prints_what_is_published(kind: str) -> None:
    done = testbedctl("schema", kind)
    published = ROOT / "docs" / "reference" / f"{kind}.schema.json"
    assert (done.returncode, done.stdout) == (0, published.read_text(encoding="utf-8"))
