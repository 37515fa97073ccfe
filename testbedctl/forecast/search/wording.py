"""How a search is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbedctl.units import count

if TYPE_CHECKING:
    from testbedctl.forecast.search.study import Progress
    from testbedctl.forecast.training.config import TrainingConfig


def sentence(progress: Progress, *, running: bool) -> str:
    """Trials that ended, how many of them were pruned, the best of them; with ``running``, those that run."""
    text = f"{count(progress.finished, 'trial')} ({progress.pruned} pruned, {progress.failed} failed)"
    if progress.best:
        text += f", best validation loss {progress.best[1]:.6g} (trial {progress.best[0]})"
    if running and progress.running:
        each = (f"trial {number}, epoch {epoch}" for number, epoch in progress.running)
        text += f"; now {', '.join(each)}"
    return text


def settings(config: TrainingConfig) -> list[str]:
    """What differs from the defaults, one setting a line, and the model."""
    told = [f"model: {config.model}"]
    for name in type(config).model_fields:
        value = getattr(config, name)
        if name == "options":
            told += [f"options.{option}: {each}" for option, each in value.items()]
        elif name != "model" and value != type(config).model_fields[name].default:
            told.append(f"{name}: {value}")
    return told
