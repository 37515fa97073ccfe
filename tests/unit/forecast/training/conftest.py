"""Trainings of the tests: tiny, on one thread, and only where torch is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread, as the tests that run in processes of their own have it."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'testbedctl[train]'")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
