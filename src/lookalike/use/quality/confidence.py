"""How sure a classifier is of images (kplus1-2020, section 4, where it is a detector of faces)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.detect.auc import Rate, rate

LEVELS = (0.9, 0.99, 0.999, 0.9999)


def surer(sure: npt.NDArray[np.float64], *, least: bool = False) -> dict[float, Rate]:
    """Level -> the share of images above it, of how sure (N,) something is of each.

    With `least` 0 is a level too: a detector may find nothing, where a classifier always names a class.
    """
    return {level: rate(int((sure > level).sum()), len(sure)) for level in (*([0.0] if least else []), *LEVELS)}
