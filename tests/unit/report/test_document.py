"""Reports of runs with holes: a hole is said, and never a zero."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden.make_run import Recipe, make_run, manifest_of, write_trial

from testbedctl.records.reader import RunReader
from testbedctl.records.run import RunWriter
from testbedctl.records.tables import read_table, write_table
from testbedctl.report import csv, markdown, terminal
from testbedctl.report.document import Report, as_json, report_of
from testbedctl.report.headline import headline
from testbedctl.report.wording import judgement


def _aborted(tmp_path: Path, recipe: Recipe, arms: list[str], **options: Any) -> Report:
    """A run that was interrupted after the given trials."""
    run = RunWriter.create(tmp_path, manifest_of(recipe))
    for n, arm in enumerate(arms, 1):
        write_trial(run.trial(n, arm), recipe, **options)
    run.abort("interrupted")
    return report_of(RunReader(run.path))


def _whole(tmp_path: Path, recipe: Recipe) -> Report:
    return report_of(RunReader(make_run(tmp_path, recipe)))


def _all_formats(report: Report) -> str:
    json.dumps(as_json(report), allow_nan=False)
    return terminal.text(report) + markdown.text(report) + csv.text(report)


def test_the_contract_of_the_document(tmp_path: Path) -> None:
    document = as_json(_whole(tmp_path, Recipe()))
    assert document["schema"] == "testbedctl.report/1"
    arm = document["arms"][1]
    step = arm["steps"][3]
    assert isinstance(step["offered_bps"], float)
    for key in ("sent_bps", "delivered_bps", "loss_ratio", "delivered_ratio", "settled_delivered_ratio"):
        assert step[key].keys() == {"median", "low", "high", "n", "interval"}
    assert step["vnf_cpu_ratio"]["service1/vdpi"]["interval"] == "range"
    assert step["slice_cpu_ratio"]["service2/vdpi"]["n"] == 3
    contract = (
        "trial at_s step action vnf target share_ratio observed forecast threshold reason applied_after_s"
    )
    assert " ".join(arm["decisions"][0]) == contract


def test_an_aborted_run_reports_its_complete_trials_and_says_so(tmp_path: Path) -> None:
    report = _aborted(tmp_path, Recipe(trials=2), ["none", "reactive", "none"])
    assert headline(report)[0].startswith("This run is aborted")
    assert "arm reactive has 1 of 2 planned trials" in report.warnings
    assert "the run is aborted (interrupted): only its complete trials are reported" in report.warnings
    assert [arm.trials for arm in report.arms] == [2, 1]
    assert _all_formats(report)


def test_an_arm_without_a_trial_was_not_measured(tmp_path: Path) -> None:
    report = _aborted(tmp_path, Recipe(trials=1), ["none"])
    step = report.arms[1].steps[3]
    assert (step.sent_bps, step.loss_ratio, step.vnf_cpu_ratio["service1/vdpi"]) == (None, None, None)
    assert report.comparison[0].verdict == "not measured"
    text = terminal.text(report)
    assert "not measured in 4" in text
    reactive = text.split("Arm reactive")[1].splitlines()[4]
    assert reactive.split() == ["2", *["–"] * 8]


def test_a_missing_step_is_named_and_empty(tmp_path: Path) -> None:
    recipe = Recipe(trials=1)
    report = _aborted(tmp_path, recipe, ["none", "reactive"], without_step=3)
    assert "step 3 of arm none was measured in 0 of 1 trials" in report.warnings
    assert report.arms[0].steps[2].delivered_bps is None
    assert report.arms[0].steps[3].delivered_bps is not None
    row = next(
        line for line in csv.text(report).splitlines() if ",none,1,3," in line and "loss_ratio" in line
    )
    assert row.endswith(",loss_ratio,,1,,,,0,")


def test_one_arm_has_nothing_to_compare_with(tmp_path: Path) -> None:
    report = _whole(tmp_path, Recipe(arms=("none",)))
    assert report.comparison == []
    assert headline(report) == ["Measured none: one arm, nothing to compare."]
    assert "none decided nothing" in _all_formats(report)


def test_arms_without_none_are_not_compared(tmp_path: Path) -> None:
    report = _whole(tmp_path, Recipe(arms=("reactive", "other")))
    assert "no arm 'none' to compare with" in headline(report)[0]
    assert _all_formats(report)


def test_a_single_trial_decides_nothing(tmp_path: Path) -> None:
    report = _whole(tmp_path, Recipe(trials=1))
    assert report.comparison[0].verdict == "inconclusive"
    assert judgement(report)[0] == []
    assert len(judgement(report)[1]) == 4 * 2


def test_five_trials_have_bootstrap_intervals(tmp_path: Path) -> None:
    report = _whole(tmp_path, Recipe(trials=5))
    step = report.arms[0].steps[3]
    assert step.delivered_bps is not None
    assert (step.delivered_bps.n, step.delivered_bps.interval) == (5, "bca95")
    assert step.delivered_bps.low < step.delivered_bps.median < step.delivered_bps.high
    assert not any("fewer than 5" in warning for warning in report.warnings)
    assert report.comparison[0].steps[3].verdict == "better"


def test_a_policy_without_effect_is_no_difference(tmp_path: Path) -> None:
    report = _whole(tmp_path, Recipe(effect=False))
    assert {step.verdict for step in report.comparison[0].steps[:2]} == {"no difference"}
    assert "better" not in {step.verdict for step in report.comparison[0].steps}


def test_an_arm_that_is_worse_is_called_worse(tmp_path: Path) -> None:
    """The arms change their names, so that the one that helps is the baseline."""
    path = make_run(tmp_path, Recipe())
    results, manifest = path / "results.parquet", path / "manifest.json"
    results.unlink()
    for file in path.glob("trials/*/trial.json"):
        record = json.loads(file.read_text())
        record["arm"] = {"none": "reactive", "reactive": "none"}[record["arm"]]
        file.write_text(json.dumps(record))
    manifest.write_text(manifest.read_text().replace('"status": "complete"', '"status": "failed"'))
    report = report_of(RunReader(path))
    assert report.comparison[0].verdict == "worse"
    assert "worse in 2" in headline(report)[1]
    assert any("step 4 (600 Mb/s)" in sentence for sentence in judgement(report)[0])


def test_a_noisy_host_and_unattributed_losses_are_warned_of(tmp_path: Path) -> None:
    path = make_run(tmp_path, Recipe())
    trial = path / "trials" / "1-none"
    record = json.loads((trial / "trial.json").read_text())
    record["noise"] = {"idle_ratio_min": 0.0, "steal_ratio_max": 0.3, "busy_other_cores_max": 1.5}
    record["warnings"] = ["Prometheus missed a scrape"]
    (trial / "trial.json").write_text(json.dumps(record))
    _lose(trial / "hops.parquet", 5000)
    warnings = report_of(RunReader(path)).warnings
    for sentence in (
        "trial 1 (none): Prometheus missed a scrape",
        "trial 1 (none): the hypervisor took 30 % of the host's CPU",
        "trial 1 (none): other processes used 1.50 cores",
        "trial 1 (none): the host had 0 % idle time left",
    ):
        assert sentence in warnings
    assert any("5000 of" in warning and "attributed to no hop" in warning for warning in warnings)


def _lose(path: Path, packets: int) -> None:
    rows = read_table(path, "hops").to_pylist()
    for row in rows:
        if (row["step"], row["service"], row["hop"]) == (4, "service1", "unattributed"):
            row["packets"] = packets
    write_table(path, "hops", rows)


def test_text_of_others_does_not_become_markup(tmp_path: Path) -> None:
    nasty = "[bold]x[/] <script> | `y`"
    report = _whole(tmp_path, Recipe(trials=1, manifest={"warnings": [nasty]}))
    assert f"warning: {nasty}" in terminal.text(report)
    assert "<script>" not in markdown.text(report)


@pytest.mark.parametrize("vdpis", [0, 4])
def test_testbeds_with_no_vdpi_or_four_are_reported(tmp_path: Path, vdpis: int) -> None:
    base = manifest_of(Recipe()).vnfs
    vdpi, van = base["service2/vdpi"], base["service1/van"]
    vnfs = {"service1/van": van}
    for n in range(1, vdpis + 1):
        vnfs[f"service{n}/vdpi"] = vdpi.model_copy(update={"service": f"service{n}"})
    report = _whole(tmp_path, Recipe(manifest={"vnfs": {k: v.model_dump() for k, v in vnfs.items()}}))
    text = terminal.text(report)
    assert max(map(len, text.splitlines())) <= 80
    assert ("2 more vDPIs are in the JSON report" in text) == (vdpis == 4)
    assert _all_formats(report)


def test_cpu_that_is_missing_in_some_trials_is_said_on_the_first_screen(tmp_path: Path) -> None:
    """Of three trials one has no CPU of one VNF in steps 2 and 3; the mean would hide it."""
    path = make_run(tmp_path, Recipe())
    assert not any("CPU of" in warning for warning in report_of(RunReader(path)).warnings)
    results = [
        row
        for row in read_table(path / "results.parquet", "results").to_pylist()
        if (row["arm"], row["trial"], row["vnf"]) != ("none", 2, "service1/vdpi") or row["step"] not in (2, 3)
    ]
    write_table(path / "results.parquet", "results", results)
    sentence = "CPU of service1/vdpi in arm none, trials that measured it: in 2 of 3 in step 2, 3"
    report = report_of(RunReader(path))
    assert [warning for warning in report.warnings if "CPU of" in warning] == [sentence]
    first_screen = " ".join(terminal.text(report).splitlines()[:15])
    assert sentence in first_screen
    assert sentence.replace("_", "\\_") in markdown.text(report)


def test_losses_at_the_others_expense_are_in_the_headline_of_a_gain(tmp_path: Path) -> None:
    path = make_run(tmp_path, Recipe())
    rows = read_table(path / "results.parquet", "results").to_pylist()
    for row in rows:
        if (row["arm"], row["step"], row["quantity"]) == ("reactive", 3, "others_loss_ratio"):
            row["value"] = 0.4
    write_table(path / "results.parquet", "results", rows)
    report = report_of(RunReader(path))
    (sentence,) = headline(report)
    assert "worse in 1, better in 1" in sentence
    assert "45.0 % delivered before (none), 100.0 % after (reactive)" in sentence
    assert "Worse at 300 Mb/s offered (step 3): Lost by all other services, % of sent, 0.0 before" in sentence
    assert (
        "Lost by all other services" in terminal.text(report).split("Where packets")[0].split("Delivered,")[1]
    )


def test_a_single_trial_says_what_was_seen_and_that_it_is_no_verdict(tmp_path: Path) -> None:
    (sentence,) = headline(_whole(tmp_path, Recipe(trials=1)))
    assert sentence.startswith("reactive against none, over 4 steps: no verdict from one trial per arm.")
    assert "at 600 Mb/s offered (step 4)" in sentence
    assert sentence.endswith("after (reactive); one trial each.")
    assert "inconclusive" not in sentence


def test_ranges_that_do_not_overlap_are_put_into_words(tmp_path: Path) -> None:
    (sentence,) = headline(_whole(tmp_path / "3", Recipe(trials=3)))
    assert sentence.endswith("Every trial after was above every trial before (3 and 3 trials).")
    (sentence,) = headline(_whole(tmp_path / "5", Recipe(trials=5)))
    assert "Every trial" not in sentence


def test_the_csv_names_the_unit_of_every_value(tmp_path: Path) -> None:
    import csv as reading

    rows = list(reading.DictReader(csv.text(_whole(tmp_path, Recipe(trials=1))).splitlines()))
    units = {row["quantity"]: row["unit"] for row in rows}
    assert units["delivered_bps"] == "bit/s"
    assert units["jitter_s"] == "s"
    assert units["vnf_cpu_ratio"] == units["others_loss_ratio"] == "1"
    assert units["lost_receiver_socket_packets"] == "packets"
    assert set(units.values()) == {"bit/s", "s", "1", "packets"}
