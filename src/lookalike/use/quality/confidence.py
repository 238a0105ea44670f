"""How confident a network is about images (kplus1-2020, section 3.2, where the network is a face detector)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.detect.auc import Rate, rate

LEVELS = (0.9, 0.99, 0.999, 0.9999)


def surer(sure: npt.NDArray[np.float64], *, least: bool = False) -> dict[float, Rate]:
    """Return level -> share of the images whose confidence is above the level.

    Parameters
    ----------
    sure
        float64 (N,), a network's largest probability for each image.
    least
        Whether 0 is a level too: a face detector may find nothing, while a classifier always gives a class.
    """
    return {level: rate(int((sure > level).sum()), len(sure)) for level in (*([0.0] if least else []), *LEVELS)}
