"""The order of trials: interleaved, shuffled by the seed, whole."""

from __future__ import annotations

from collections import Counter

from testbedctl.experiment.plan import order


def test_every_block_has_every_arm_once() -> None:
    arms = ["none", "reactive", "predictive"]
    planned = order(arms, 5, seed=7)
    assert [p.n for p in planned] == list(range(1, 16))
    for block in range(5):
        assert sorted(p.arm for p in planned[3 * block : 3 * block + 3]) == sorted(arms)
    assert Counter((p.arm, p.trial) for p in planned) == {(a, t): 1 for a in arms for t in range(1, 6)}


def test_the_seed_decides_and_nothing_else() -> None:
    arms = ["none", "reactive"]
    assert order(arms, 8, seed=1) == order(arms, 8, seed=1)
    assert order(arms, 8, seed=1) != order(arms, 8, seed=2)


def test_the_first_arm_is_not_always_first() -> None:
    firsts = {order(["none", "reactive"], 1, seed)[0].arm for seed in range(20)}
    assert firsts == {"none", "reactive"}
