"""Which VMs are learned from."""

from __future__ import annotations

import numpy as np
import pytest
from unit.forecast.usage import dataset, series

from testbedctl.errors import UsageError
from testbedctl.forecast.training.sample import choose, named

DATA = dataset(*(series(str(number), 1) for number in range(200)))


def test_the_choice_is_the_beginning_of_a_permutation_of_the_sorted_names() -> None:
    names = sorted(str(number) for number in range(200))
    order = [names[place] for place in np.random.default_rng(0).permutation(200)]
    learned = choose(DATA, 120, 0)
    assert list(learned) == order[:120]
    assert list(choose(DATA, 40, 0, exclude=learned)) == order[120:160]


def test_the_order_in_the_data_set_does_not_matter() -> None:
    assert choose(dataset(*reversed(DATA.series)), 7, 3) == choose(DATA, 7, 3) != choose(DATA, 7, 4)


@pytest.mark.parametrize("number", [0, 81])
def test_more_than_there_are_or_none_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match=r"waves has 80 to choose from"):
        choose(DATA, number, 0, exclude=choose(DATA, 120, 0))


def test_names_are_sorted_and_unique() -> None:
    assert named(DATA, ["7", "12", "7"]) == ("12", "7")


def test_an_unknown_name_and_no_name_are_refused() -> None:
    with pytest.raises(UsageError, match="no VM '200'"):
        named(DATA, ["7", "200"])
    with pytest.raises(UsageError, match="no VM is named"):
        named(DATA, [])
