"""Whether this machine can train: torch and Optuna come with the extra ``train``."""

from __future__ import annotations

from importlib.util import find_spec

from testbedctl.errors import HostUnfit

HINT = "`./setup.sh train` in a checkout, else `pip install 'testbedctl[train]'`"


def require_torch() -> None:
    """Raises ``HostUnfit`` if torch is not installed."""
    require("torch")


def use_threads(number: int = 1) -> None:
    """Let torch compute with so many threads.

    One by default: the models here are so small that a second one costs more than it brings, and very much
    more where another process works beside it (measured: 1 s of training became 141 s).
    """
    import torch

    torch.set_num_threads(number)


def require(module: str) -> None:
    """Raises ``HostUnfit`` if a module of the extra ``train`` is not installed."""
    if find_spec(module) is None:
        raise HostUnfit(f"{module} is not installed", hint=HINT)
