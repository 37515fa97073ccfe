"""Counts of decisions: from the runs that make them to what a scrape shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.experiment.actuator import KINDS
from testbedctl.telemetry import decisions
from testbedctl.telemetry.collector import DomainCollector
from testbedctl.telemetry.config import AgentConfig
from testbedctl.telemetry.exposition import text


def lines(config: AgentConfig) -> list[str]:
    body = text(DomainCollector(config).collect()).decode()
    return [line for line in body.splitlines() if line.startswith("asro_decisions")]


def with_file(path: Path | None) -> AgentConfig:
    return AgentConfig("lab", "edge", ("127.0.0.1", 0), (), None if path is None else str(path))


def test_every_kind_of_action_has_a_count() -> None:
    assert set(decisions.ACTIONS) == set(KINDS.values())


def test_decisions_are_exposed_and_go_on_from_run_to_run(tmp_path: Path) -> None:
    path = tmp_path / "decisions.json"
    config = with_file(path)
    assert 'asro_decisions_total{lab="lab",action="share"} 0' in lines(config)
    decisions.add(path, ["share", "hold", "share"])
    decisions.add(path, ["share"])
    assert 'asro_decisions_total{lab="lab",action="share"} 3' in lines(config)
    assert 'asro_decisions_total{lab="lab",action="hold"} 1' in lines(config)
    assert 'asro_decisions_total{lab="lab",action="release"} 0' in lines(config)
    assert [p.name for p in tmp_path.iterdir()] == ["decisions.json"]


def test_an_agent_that_is_not_told_of_the_file_exposes_none() -> None:
    assert lines(with_file(None)) == []


def test_a_file_that_is_not_ours_is_absent_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "decisions.json"
    path.write_text("{}")
    collector = DomainCollector(with_file(path))
    for _ in range(2):
        assert "asro_decisions" not in text(collector.collect()).decode()
    assert capsys.readouterr().err.count("testbedctl.decisions/1") == 1
    with pytest.raises(RunFailed, match="cannot be counted"):
        decisions.add(path, ["share"])


def test_the_configuration_says_where_the_file_is(tmp_path: Path) -> None:
    config = with_file(tmp_path / "decisions.json")
    assert AgentConfig.from_json(config.to_json()) == config
