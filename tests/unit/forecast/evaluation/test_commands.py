"""``forecast evaluate``, ``forecast windows`` and ``forecast claims`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.forecast.evaluation.program import Program
from unit.forecast.trained import NO_TORCH, trained
from unit.forecast.training.tiny import config
from unit.forecast.usage import series

from testbedctl.forecast.dataset.store import open_dataset, save_dataset
from testbedctl.forecast.evaluation.lengths import train_lengths
from testbedctl.forecast.evaluation.result import load
from testbedctl.forecast.series import Series
from testbedctl.forecast.training.config_file import configuration

pytest.importorskip("torch", reason=NO_TORCH)


@pytest.fixture
def forecast(desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """``testbedctl forecast`` in the directory with the data sets and the model."""
    monkeypatch.chdir(desk)
    return Program(capsys, monkeypatch)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets, and a model that has learned from one VM of the first."""
    from testbedctl.forecast.training.trainer import train

    here = tmp_path_factory.mktemp("desk")
    for name, vms in (("waves", ("a", "b", "c")), ("other", ("d",))):
        parts = [series(vm, step_s=1.0) for vm in vms]
        ratios = [Series(part.vm, part.unix_s, part.values / part.values.max(axis=0)) for part in parts]
        save_dataset(here / name, ratios, name=name, source="made up")
    asked = config(epochs=2, options={})
    train(asked, open_dataset(here / "waves"), here / "lstm", observe=lambda _: None, vms=["a"])
    (here / "far").mkdir()
    trained(units="trace", step_s=300.0).save(here / "far")
    return here


def test_the_table_has_the_model_and_all_baselines(forecast: Program) -> None:
    done = forecast("evaluate", "lstm", "--dataset", "waves")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    first_words = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    for name in ("persistence", "mean", "exponential", "lstm"):
        assert name in first_words
    assert "seasonal naive was not measured: 0 of 120 forecasts have a day (86,400 steps)" in " ".join(
        done.stdout.split()
    )
    assert "waves: 3 of 3 VMs judged" in done.stderr


def test_vms_that_were_learned_from_can_be_left_out(forecast: Program) -> None:
    words = ("evaluate", "lstm", "--dataset", "waves", "--exclude-trained", "--json")
    document = json.loads(forecast(*words).stdout)
    (judgement,) = document["judgements"]
    assert judgement["vms"] == ["b", "c"]
    (row,) = (row for row in judgement["contestants"] if row["name"] == "lstm")
    assert row["seen"] == 0 and row["epochs"] == 2


def test_files_are_written_and_claims_read_from_them(forecast: Program, desk: Path) -> None:
    words = ("--dataset", "waves", "--foreign", "other", "--vms", "a,c", "--vm", "c", "--output", "out")
    done = forecast("evaluate", "lstm", *words)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (desk / "out").rglob("*.*")}
    assert {"evaluation.json", "evaluation.md", "evaluation.csv", "architecture-lstm.png"} <= names
    assert {"forecast-waves-c.png", "forecast-other-d.svg", "error-waves.png"} <= names
    page = (desk / "out" / "evaluation.md").read_text()
    for path in (line.partition("](")[2].rstrip(")") for line in page.splitlines() if line.startswith("![")):
        assert (desk / "out" / path).is_file(), path
    told = json.loads(forecast("claims", "out", "--json").stdout)["claims"]
    (lstm,) = (each for each in told if each["quantity"] == "rmse_lstm")
    assert (lstm["word"], lstm["value"]) == ("not measured", 0.0189)  # ratios of an allotment, no trace
    assert "FI-10" in forecast("claims", "out").stdout


def test_a_model_for_other_data_is_refused(forecast: Program) -> None:
    done = forecast("evaluate", "far", "--dataset", "waves")
    assert done.returncode == 2
    assert "model far was made for steps of 300.0, and the data set waves has 1.0" in done.stderr


def test_a_model_that_knows_the_judged_part_is_refused(forecast: Program, desk: Path) -> None:
    from testbedctl.forecast.training.trainer import train

    asked = config(epochs=1, train_share=0.9)
    train(asked, open_dataset(desk / "waves"), desk / "greedy", observe=lambda _: None, resume=False)
    done = forecast("evaluate", "greedy", "--dataset", "waves")
    assert done.returncode == 2
    assert "has learned from the first 0.9 of each VM" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lstm", "--dataset", "nowhere"), "nowhere is not a data set"),
        (("nothing", "--dataset", "waves"), "nothing holds no trained model"),
        (("lstm", "--dataset", "waves", "--vms", "a,x"), "has no VM 'x'"),
        (("lstm", "--dataset", "waves", "--vms", "4"), "4 VMs asked for"),
        (("lstm", "--dataset", "waves", "--vms", "a", "--exclude-trained"), "has been trained on each"),
        (("lstm", "--dataset", "waves", "--vm", "x", "--output", "no"), "has no VM 'x'"),
    ],
)
def test_what_is_not_there_is_named(
    forecast: Program, desk: Path, words: tuple[str, ...], message: str
) -> None:
    done = forecast("evaluate", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (desk / "no").exists()


def test_an_exported_model_is_judged_as_its_directory_is(forecast: Program, desk: Path) -> None:
    from testbedctl.forecast.training.trainer import train

    asked = config(epochs=1, scaling="none")
    train(asked, open_dataset(desk / "waves"), desk / "plain", observe=lambda _: None, resume=False)
    done = forecast("export", "plain", "--output", "file.onnx")
    assert done.returncode == 0, done.stderr
    words = ("evaluate", "plain", "file.onnx", "--dataset", "waves", "--json")
    (judgement,) = json.loads(forecast(*words).stdout)["judgements"]
    plain, file = (row for row in judgement["contestants"] if row["kind"] != "baseline")
    assert (plain["name"], file["name"]) == ("plain", "file")
    assert file["errors"][0]["mean"] == pytest.approx(plain["errors"][0]["mean"], rel=1e-4)
    assert file["seen"] == plain["seen"] == 3
    done = forecast("evaluate", "file.onnx", "--dataset", "waves", "--exclude-trained")
    assert done.returncode == 2
    assert "has been trained on each" in done.stderr


def test_a_warm_start_does_not_forget_what_was_learned_before(forecast: Program, desk: Path) -> None:
    from testbedctl.forecast.training.trainer import train

    asked, other = config(epochs=1, options={}), open_dataset(desk / "other")
    train(asked, other, desk / "warm", observe=lambda _: None, warm_start=desk / "lstm", resume=False)
    words = ("evaluate", "warm", "--dataset", "waves", "--exclude-trained")
    (judgement,) = json.loads(forecast(*words, "--json").stdout)["judgements"]
    assert judgement["vms"] == ["b", "c"]
    file = desk / "warm" / "model.json"
    old = {key: value for key, value in json.loads(file.read_text()).items() if key != "ancestors"}
    file.write_text(json.dumps(old))
    assert "has learned from: warm ?" in " ".join(forecast(*words[:-1]).stdout.split())
    done = forecast(*words)
    assert done.returncode == 2
    assert "warm does not say which VMs" in done.stderr


def test_windows_of_six_lengths_are_judged_on_the_same_steps(forecast: Program, desk: Path) -> None:
    (desk / "one-epoch.yaml").write_text("epochs: 1\nbatch_size: 64\n")
    words = ("windows", "waves", "--output", "lengths", "--config", "one-epoch.yaml")
    done = forecast(*words, "--vms", "a")
    assert done.returncode == 0, done.stderr
    document = json.loads((desk / "lengths" / "evaluation.json").read_text())
    rows = [row for row in document["judgements"][0]["contestants"] if row["kind"] == "model"]
    assert [row["window"] for row in rows] == [1, 2, 3, 6, 12, 24]
    assert (desk / "lengths" / "figures" / "windows-waves.png").is_file()
    said: list[str] = []
    base = configuration(desk / "one-epoch.yaml", {})
    again, _ = train_lengths(
        open_dataset(desk / "waves"), ["a"], base, desk / "lengths" / "models", observe=said.append
    )
    assert said == ["judging"]  # nothing is trained twice
    assert [row.errors for row in again.judgements[0].contestants if row.kind == "model"] == [
        load(desk / "lengths").judgements[0].contestant(row["name"]).errors  # type: ignore[union-attr]
        for row in rows
    ]
    told = json.loads(forecast("claims", "lengths", "--json").stdout)["claims"]
    (longer,) = (each for each in told if each["quantity"] == "rmse_longer_window_ratio")
    assert longer["measured"] > 0
    other = forecast(*words, "--vms", "b")
    assert other.returncode == 2
    assert "holds a model of another training" in other.stderr
