"""The types of arrays and callbacks that all rooms use.

Images are uint8 (N, C, H, W), with C 1 for grey and 3 for colour. Vectors are float32 (N, F).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]  # row numbers
Labels = npt.NDArray[np.int64]  # class numbers
Pixels = npt.NDArray[Any]  # images or vectors
Report = Callable[[str, int, int], None]  # called with progress: (stage, done, of)
Warn = Callable[[str], None]  # called with a sentence for the user
Note = Callable[[str], None]  # the same, where the sentence is no warning
