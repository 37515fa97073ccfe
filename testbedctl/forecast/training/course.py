"""The course of a training: model, optimizer, best weights so far, history; and its checkpoint."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.training.document import Epoch, best_of
from testbedctl.forecast.training.packing import packed, unpacked, write_whole

if TYPE_CHECKING:
    from torch import Tensor, nn

    from testbedctl.forecast.training.config import TrainingConfig

Identity = Mapping[str, Any]
"""What decides a training, by name, as JSON values: two with the same identity give the same model."""

_WARM_UP = 0.05  # share of all batches over which a schedule rises


@dataclass
class Course:
    """Where a training stands. ``best`` are the weights of the epoch with the least validation loss."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)

    def record(self, epoch: Epoch) -> None:
        """Add an epoch, and keep its weights if it is the best so far."""
        self.history.append(epoch)
        if best_of(self.history) is epoch:
            self.best = copy.deepcopy(self.model.state_dict())

    def waited(self) -> int:
        """Epochs since the best one."""
        return len(self.history) - best_of(self.history).number if self.history else 0

    def set_rate(self, config: TrainingConfig, passed: float) -> None:
        """The learning rate when the share ``passed`` of all batches has been learned from."""
        rate = config.learning_rate
        if config.schedule == "cosine":
            falling = (1 + math.cos(math.pi * (passed - _WARM_UP) / (1 - _WARM_UP))) / 2
            rate *= passed / _WARM_UP if passed < _WARM_UP else falling
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def save(self, file: Path, identity: Identity) -> None:
        """Write the checkpoint, whole or not at all. Raises ``RunFailed`` when the disk is full."""
        state = {
            "identity": json.dumps(identity, sort_keys=True),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "history": [asdict(epoch) for epoch in self.history],
            "random": _random_state(),
        }
        write_whole(file, packed(state))

    def restore(self, file: Path, identity: Identity) -> None:
        """Go on from a checkpoint, with the random numbers where they were.

        Raises ``UsageError`` naming what differs if it is of another training, ``InvalidFile`` if it is
        damaged.
        """
        state = unpacked(file.read_bytes(), file)
        try:
            _check_same(json.loads(state["identity"]), identity, file)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.best = state["best"]
            self.history = [Epoch(**epoch) for epoch in state["history"]]
            _set_random_state(state["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InvalidFile(
                f"{file} is no checkpoint of this model: {error}", hint=f"remove {file}"
            ) from error


def seed_all(seed: int) -> None:
    """Set each source of random numbers that a model may use; let torch refuse what is not repeatable."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def _random_state() -> dict[str, Any]:
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
    }


def _set_random_state(state: Mapping[str, Any]) -> None:
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(state["torch"])


def _check_same(begun: Identity, asked: Identity, file: Path) -> None:
    now = json.loads(json.dumps(asked))
    differing = [key for key in {**begun, **now} if begun.get(key) != now.get(key)]
    if differing:
        told = "; ".join(
            f"{key} {_short(begun.get(key))} there, {_short(now.get(key))} now" for key in differing
        )
        raise UsageError(
            f"{file} is of another training ({told})",
            hint="give the same command to go on with it, another directory, or remove the checkpoint",
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
