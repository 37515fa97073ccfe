"""Commands that measure: ``stress`` and ``demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json, Lab, Wait
from testbedctl.cli.output import emit_json, err, json_asked, out

if TYPE_CHECKING:
    from pathlib import Path

    from testbedctl.backends.local.lab import Lab as LocalLab
    from testbedctl.spec.profile import Profile

ProfileArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        envvar="TESTBEDCTL_PROFILE",
        help="A stress profile's file, or the name of one we ship.",
    ),
]
Arms = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        envvar="TESTBEDCTL_ARMS",
        help="A policy to run, NAME[:key=value,...]; repeat for more; none and reactive if left out.",
        show_default=False,
    ),
]
Trials = Annotated[
    int, typer.Option("--trials", envvar="TESTBEDCTL_TRIALS", min=1, max=1000, help="Trials per arm.")
]
Seed = Annotated[
    int, typer.Option("--seed", envvar="TESTBEDCTL_SEED", min=0, help="Seed of order and arrivals.")
]
DEFAULT_ARMS = ("none", "reactive")


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    panel = "Measuring"
    app.command("stress", rich_help_panel=panel)(stress)
    app.command("demo", rich_help_panel=panel)(demo)


def stress(
    profile: ProfileArgument = "exponential",
    arm: Arms = None,
    trials: Trials = 1,
    seed: Seed = 1,
    lab: Lab = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", envvar="TESTBEDCTL_DRY_RUN", help="Say how long it takes and how much disk it needs."
        ),
    ] = False,
    wait: Wait = 0,
    json: Json = False,  # noqa: ARG001 - read through output.json_asked
) -> None:
    """Drive a stress profile against the vDPI, arm by arm, and record it."""
    from testbedctl.balancing.registry import policy
    from testbedctl.spec.loader import load_profile

    loaded = load_profile(profile)
    arms = _distinct(arm or list(DEFAULT_ARMS))
    for each in arms:
        policy(each)
    if dry_run:
        _tell_cost(loaded, arms, trials, seed, lab)
        return
    from testbedctl.backends.local.lab import running

    run = measure(running(lab), loaded, arms, trials, seed, wait)
    if json_asked():
        emit_json({"run": run.name, "path": str(run), "status": "complete"})
    else:
        out().print(f"run [bold]{run.name}[/] is complete", soft_wrap=True)
        out().print("next: testbedctl report", style="dim")


def measure(lab: LocalLab, profile: Profile, arms: list[str], trials: int, seed: int, wait: float) -> Path:
    """``stress`` with its progress on stderr; returns the run's directory."""
    from testbedctl.cli.measuring import progress_of
    from testbedctl.experiment.run import stress as run_stress
    from testbedctl.records.catalogue import runs_dir
    from testbedctl.spec.checks import check_profile_fits

    check_profile_fits(profile, lab.plan.testbed)
    with progress_of(err()) as observer:
        return run_stress(
            lab,
            profile,
            arms=arms,
            trials=trials,
            seed=seed,
            runs_dir=runs_dir(),
            observer=observer,
            wait_s=wait,
        )


def demo(
    trials: Trials = 3,
    seed: Seed = 7,
    json: Json = False,  # noqa: ARG001
) -> None:
    """Up, stress quick, report and down: a real experiment in some minutes."""
    from testbedctl.backends.local.lab import Lab as LocalLab
    from testbedctl.cli.lab import bring_up, take_down
    from testbedctl.cli.report import report
    from testbedctl.spec.loader import load_profile, load_testbed

    testbed = load_testbed("slice-sharing")
    lab, seconds = bring_up(testbed, "demo", 0)
    try:
        err().print(f"lab {lab.name} is up ({seconds:.1f} s)")
        run = measure(LocalLab(lab.name), load_profile("quick"), list(DEFAULT_ARMS), trials, seed, 0)
        report(run, as_json=json_asked())
    finally:
        take_down(lab, 0, tell=err())
    err().print(
        f"the run is kept in {run}; look at it again with: testbedctl report {run.name}", soft_wrap=True
    )


def _distinct(arms: list[str]) -> list[str]:
    from testbedctl.errors import UsageError

    twice = sorted({a for a in arms if arms.count(a) > 1})
    if twice:
        raise UsageError(
            f"the arm {twice[0]!r} is named twice", hint="use --trials for more trials of an arm"
        )
    return arms


def _tell_cost(profile: Profile, arms: list[str], trials: int, seed: int, lab: str | None) -> None:
    """``--dry-run``: on the lab if one is up, else on the default testbed."""
    from testbedctl.backends.local.lab import find
    from testbedctl.backends.local.planner import plan
    from testbedctl.experiment.run import lay_out
    from testbedctl.host import paths
    from testbedctl.spec.loader import load_testbed
    from testbedctl.traffic.cost import plan_cost
    from testbedctl.units import count, human_bytes, human_duration, mbps

    resolved = find(lab).plan if lab or paths.labs() else plan(load_testbed("slice-sharing"))
    laid_out = lay_out(resolved, profile, seed)
    cost = plan_cost(laid_out, len(arms), trials)
    rates = [mbps(s.offered_bps) for s in laid_out.steps]
    if json_asked():
        emit_json(
            {
                "profile": profile.name, "arms": arms, "trials": trials, "cameras": len(laid_out.cameras),
                "offered_mbps": rates, "traffic_s": cost.seconds, "disk_bytes": cost.disk_bytes,
            }
        )  # fmt: skip
        return
    out().print(
        f"profile {profile.name}: {len(rates)} steps from {rates[0]:g} to {max(rates):g} Mb/s, "
        f"{len(laid_out.cameras)} cameras; {count(len(arms), 'arm')} of {count(trials, 'trial')}: "
        f"{human_duration(cost.seconds)} of traffic (plus some seconds a trial), "
        f"about {human_bytes(cost.disk_bytes)} of disk"
    )
