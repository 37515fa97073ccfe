"""Losses belong to the seconds in which the packets were sent."""

from __future__ import annotations

import random

import pytest

from testbedctl.analysis.losses import placed


@pytest.mark.parametrize(
    ("sent", "lost", "expected"),
    [
        ([10, 10, 10], [0, 3, 0], [0, 3, 0]),
        ([10, 10, 10], [0, 0, 15], [0, 5, 10]),  # an outage is noticed when packets arrive again
        ([10, 10, 10], [4, -1, 0], [3, 0, 0]),  # a late packet takes back a loss
        ([10, 10, 10], [-2, 5, 0], [0, 3, 0]),  # at the beginning there is nothing before it
        ([10, 0, 10], [12, 0, 0], [10, 0, 2]),
        ([10], [0], [0]),
        ([], [], []),
    ],
)
def test_a_loss_that_does_not_fit_goes_where_the_packets_were_sent(
    sent: list[int], lost: list[int], expected: list[int]
) -> None:
    assert placed(sent, lost) == expected


def test_whatever_is_counted_nothing_is_below_zero_and_the_sum_stays() -> None:
    draw = random.Random(3)
    for _ in range(2000):
        sent = [draw.randrange(20) for _ in range(draw.randrange(1, 8))]
        lost = [draw.randrange(-10, 25) for _ in sent]
        if not 0 <= sum(lost) <= sum(sent):
            continue
        found = placed(sent, lost)
        assert all(0 <= part <= whole for part, whole in zip(found, sent, strict=True))
        assert sum(found) == sum(lost)
