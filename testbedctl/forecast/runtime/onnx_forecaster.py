"""A model file as ``ports.Forecaster``, run by onnxruntime on one thread. Torch is not needed, nor loaded."""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from testbedctl.errors import InvalidFile
from testbedctl.forecast.dataset.features import feature_names
from testbedctl.forecast.runtime.model_file import Metadata, read
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    from testbedctl.forecast.series import Units

TESTBED_STEP_S = 1.0
STEP_TOLERANCE = 0.01
"""A step that was measured is 0.9998 s where 1 s was meant."""

SHIPPED = Path(__file__).parent / "shipped" / "vnf-1s.onnx"
"""The model that comes with testbedctl; ``recording.json`` beside it says what telemetry it learned from."""

BATCH = 512
"""VNFs per call of onnxruntime: what is between the layers of so many stays in the core's cache."""


class OnnxForecaster:
    """Predicts with a model that ``forecast export`` wrote (``docs/reference/model-file.md``).

    ``metadata`` is what the file says of the model: its data, training and metrics.
    """

    def __init__(self, session: onnxruntime.InferenceSession, metadata: Metadata):
        self._session = session
        self.metadata = metadata
        self.step_s = metadata.step_s
        self.window = metadata.window
        self.horizon = metadata.horizon
        self.quantiles = metadata.quantiles

    @classmethod
    def load(
        cls, path: Path, *, step_s: float, units: Units, window: int | None = None, horizon: int | None = None
    ) -> OnnxForecaster:
        """The model of a file, for samples ``step_s`` seconds apart in these units.

        ``window`` and ``horizon``, in steps, are only looked at if given. Raises ``InvalidFile`` with the
        reason for a file that is not a whole model file of ours, or is made for something else.
        """
        session, metadata = read(path)
        if metadata.units != units:
            _refuse(path, "units", metadata.units, units)
        if not isclose(metadata.step_s, step_s, rel_tol=STEP_TOLERANCE):
            _refuse(path, "step_s", metadata.step_s, step_s)
        if metadata.features != feature_names(units):
            _refuse(path, "features", metadata.features, feature_names(units))
        if window is not None and metadata.window != window:
            _refuse(path, "window", metadata.window, window)
        if horizon is not None and metadata.horizon != horizon:
            _refuse(path, "horizon", metadata.horizon, horizon)
        return cls(session, metadata)

    def predict(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From ``float32[vnf, window, 4]`` to mean ``[vnf, horizon, 4]`` and quantiles
        ``[vnf, horizon, 4, quantile]``, all at least 0, in the units of the history.

        A VNF with a value in its window that is not a finite number has NaN in all its forecasts; the others
        are not touched by it. Raises ``ValueError`` for another shape.
        """
        import numpy as np

        if history.ndim != 3 or history.shape[1:] != (self.window, len(RESOURCES)):
            raise ValueError(
                f"history must have the shape [vnf, {self.window}, {len(RESOURCES)}], got {history.shape}"
            )
        known = np.isfinite(history).all(axis=(1, 2))
        values = np.where(known[:, None, None], history, 0).astype(np.float32, copy=False)
        mean = np.empty((len(values), self.horizon, len(RESOURCES)), np.float32)
        quantiles = np.empty((*mean.shape, len(self.quantiles)), np.float32)
        for start in range(0, len(values), BATCH):
            part = slice(start, start + BATCH)
            mean[part], quantiles[part] = self._session.run(["mean", "quantiles"], {"history": values[part]})
        mean[~known] = quantiles[~known] = np.nan
        return mean, quantiles


def testbed_forecaster(path: str) -> OnnxForecaster:
    """The model of a file for the telemetry of the testbed: steps of 1 s, ratios of an allotment.

    Raises ``InvalidFile`` as ``OnnxForecaster.load`` does.
    """
    return OnnxForecaster.load(Path(path), step_s=TESTBED_STEP_S, units="allotment")


def shipped() -> OnnxForecaster:
    """The model that comes with testbedctl."""
    return testbed_forecaster(str(SHIPPED))


def _refuse(path: Path, what: str, found: object, wanted: object) -> NoReturn:
    raise InvalidFile(
        f"{path} is a model for {what} {found}; {what} {wanted} is asked for",
        hint="a forecast means nothing at another step, in other units or of other features: "
        "train a model on data of the same kind",
    )
