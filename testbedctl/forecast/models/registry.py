"""The models by name. One comes by a line here; torch is not imported before a model is built."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from testbedctl.errors import UsageError
from testbedctl.forecast.training.torch_there import require_torch
from testbedctl.spec.quoting import did_you_mean, quote

if TYPE_CHECKING:
    from torch import nn

MODELS: dict[str, str] = {
    "change": "testbedctl.forecast.models.change:Change",
    "lstm": "testbedctl.forecast.models.lstm:Lstm",
    "transformer": "testbedctl.forecast.models.transformer:Transformer",
}
"""Where each model's class is. It is called with ``window`` and ``horizon``, with ``quantiles`` if it has
such a parameter, and with the configuration's ``options``; it maps float32[b, window, 4] to
float32[b, horizon, 4, 1 + quantiles], the point forecast first. It may have a loss of its own, a method
``loss(output, target, history)``; ``bounded = True`` says that its outputs are within [0, 1]."""

_TOLD = ("window", "horizon", "quantiles")


def build(name: str, window: int, horizon: int, quantiles: Sequence[float] = (), **options: Any) -> nn.Module:
    """A new model; its weights are drawn from torch's random numbers.

    Raises ``UsageError`` for a name that is not there, an option that the model does not have or cannot use,
    and for quantiles of a model that has none; ``HostUnfit`` without torch.
    """
    model_class = _class_of(name)
    takes = inspect.signature(model_class).parameters
    own = [option for option in takes if option not in _TOLD]
    if unknown := sorted(set(options) - set(own)):
        raise UsageError(
            f"the model {name} has no option {unknown[0]!r}", hint=f"its options are {', '.join(own)}"
        )
    if "quantiles" in takes:
        options["quantiles"] = tuple(quantiles)
    elif quantiles:
        raise UsageError(
            f"the model {name} has no quantiles: it forecasts one value",
            hint="leave the quantiles out, or take a model that has them",
        )
    try:
        return model_class(window=window, horizon=horizon, **options)
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError, AssertionError) as error:
        # what torch's layers raise
        raise UsageError(
            f"the model {name} cannot be built with {options}: {error}",
            hint="see the configuration's options",
        ) from error


def _class_of(name: str) -> type[nn.Module]:
    if name not in MODELS:
        raise UsageError(
            f"there is no model {quote(name)}{did_you_mean(name, MODELS)}",
            hint=f"the models are {', '.join(sorted(MODELS))}",
        )
    require_torch()
    module, _, attribute = MODELS[name].partition(":")
    found: type[nn.Module] = getattr(import_module(module), attribute)
    return found
