"""Whether this machine can train: torch and Optuna come with the extra ``train``."""

from __future__ import annotations

from importlib.util import find_spec

from testbedctl.errors import HostUnfit


def require_torch() -> None:
    """Raises ``HostUnfit`` if torch is not installed."""
    require("torch")


def require(module: str) -> None:
    """Raises ``HostUnfit`` if a module of the extra ``train`` is not installed."""
    if find_spec(module) is None:
        raise HostUnfit(f"{module} is not installed", hint="pip install 'testbedctl[train]'")
