"""Names that still work and have a better successor: each use warns once, at the line that used it."""

from __future__ import annotations

import inspect
import warnings

PACKAGE = __name__.partition(".")[0]


def warn_deprecated(name: str, instead: str) -> None:
    """Warn that ``name`` is deprecated, naming what to write instead.

    The warning points at the first line outside this package, so Python shows it once for each place.
    """
    level = 1
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame = frame.f_back
        level += 1
    warnings.warn(f"{name} is deprecated: use {instead}", DeprecationWarning, stacklevel=max(level, 2))
