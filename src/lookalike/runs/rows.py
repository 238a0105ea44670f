"""Which images of a data set do what in a run: train, join, set the threshold, or only measure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lookalike.base.arrays import Index


@dataclass(frozen=True)
class Rows:
    """Rows of the images by what they are for.

    Parameters
    ----------
    train, calibration, extra_fakes, test : Index
        Rows that train as known, that set the threshold, that train as extra fakes, and that only measure.
    deciding : Index
        With several known classes, the held-out rows that join their detectors. Other rows set the threshold, unless
        there are too few (`shared`).
    unlabelled : Index
        Rows that are of known classes, without a label that says of which.
    spare : Index
        Rows of known classes that do nothing, where the method learns from so many images of a class at most.
    """

    train: Index
    calibration: Index
    extra_fakes: Index
    test: Index
    deciding: Index
    unlabelled: Index
    spare: Index

    @property
    def joins(self) -> bool:
        """Whether held-out images join detectors of several known classes."""
        return bool(len(self.deciding))

    @property
    def shared(self) -> bool:
        """Whether the same held-out images join the detectors and set the threshold."""
        return bool(np.isin(self.deciding, self.calibration).any())

    def parts(self) -> dict[str, Index]:
        """The rows of each part of the run's record, split.json."""
        held = np.union1d(self.calibration, self.deciding)
        trained = np.concatenate([self.train, self.unlabelled])
        parts = {"train": trained, "calibration": held, "extra_fakes": self.extra_fakes, "test": self.test}
        return parts | ({"spare": self.spare} if len(self.spare) else {})

    def only(self, mine: Index, *, others_are_fakes: bool) -> Rows:
        """The same where of the training rows only `mine` are known; the others may be extra fakes."""
        others = np.setdiff1d(self.train, mine)
        fakes = np.union1d(others, self.extra_fakes) if others_are_fakes else self.extra_fakes
        return replace(self, train=mine, extra_fakes=fakes)
