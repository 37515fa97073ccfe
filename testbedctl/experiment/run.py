"""Runs all trials of a run in their order and leaves a whole run directory, or says why not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from testbedctl.analysis.results import results_of
from testbedctl.backends.local.health import wait_until_scraped
from testbedctl.backends.local.lab import Lab
from testbedctl.backends.local.plan import Plan
from testbedctl.errors import RunFailed
from testbedctl.experiment.actuator import CONTROLLER_TIMEOUT_S
from testbedctl.experiment.arm import Arm
from testbedctl.experiment.plan import manifest
from testbedctl.experiment.trial import Observer, Trial
from testbedctl.host import paths
from testbedctl.host.lock import held
from testbedctl.records.run import RunWriter
from testbedctl.spec.profile import Profile
from testbedctl.traffic.pcap import udp_payloads
from testbedctl.traffic.schedule import Schedule, schedule

REPEATS = 2
"""How often an invalid trial is repeated before the run is given up."""


def measuring_lock() -> Path:
    """The lock of whoever measures on this host, wherever the labs keep their state."""
    return paths.RUNTIME_ROOT.with_name("testbedctl.measuring.lock")


def lay_out(plan: Plan, profile: Profile, seed: int) -> Schedule:
    """The schedule of a profile on a lab."""
    services = plan.services
    return schedule(
        profile, plan.testbed, seed, lambda service, number: services[service].camera_address(number)
    )


def stress(
    lab: Lab,
    profile: Profile,
    *,
    arms: Sequence[str],
    trials: int,
    seed: int,
    runs_dir: Path,
    observer: Observer,
    wait_s: float = 0,
) -> Path:
    """Run every arm ``trials`` times, interleaved, and return the run's directory.

    ``wait_s`` is how long its two locks together are waited for.

    Raises ``RunFailed`` with the cause if a part of the testbed failed in the middle; the run then stays
    readable as failed, or as aborted after an interruption. The lab itself is left as it was.
    """
    _check(lab, profile, arms)
    laid_out = lay_out(lab.plan, profile, seed)
    deadline = time.monotonic() + wait_s
    with (
        held(measuring_lock(), "this host's measuring", wait_s=wait_s),
        held(lab.lock, f"the lab {lab.name}", wait_s=max(0.0, deadline - time.monotonic())),
        RunWriter.create(runs_dir, manifest(lab.plan, profile, laid_out, arms, trials, seed)) as run,
    ):
        # a run that was killed has left its rules
        lab.controller(CONTROLLER_TIMEOUT_S).delete_all_runs()
        wait_until_scraped(lab)
        number = 0
        for planned in run.manifest.order:
            for _ in range(1 + REPEATS):
                number += 1
                observer.trial_begun(planned, len(run.manifest.order))
                writer = run.trial(number, planned.arm)
                arm = Arm(planned.arm, lab.decisions)  # a new one for every trial: policies remember
                trial = Trial(lab, profile, laid_out, arm, writer, observer)
                outcome = trial.run()
                observer.trial_ended(outcome)
                if outcome.valid:
                    break
            else:
                raise RunFailed(
                    f"trial {planned.trial} of {planned.arm} was invalid {1 + REPEATS} times: {outcome.cause}"
                )
        return run.complete(results_of(run.reader()))


def _check(lab: Lab, profile: Profile, arms: Sequence[str]) -> None:
    """Refuse a bad arm or capture before anything runs."""
    for arm in arms:
        Arm(arm, lab.decisions)
    if profile.traffic == "pcap":
        udp_payloads(Path(profile.pcap or ""))
