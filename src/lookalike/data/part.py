"""One of several shares of the images, so that any scheduler can divide a work among processes and machines."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from lookalike.base.errors import DataError, UsageError, show
from lookalike.data.source import Source

MOST = 10**6  # parts


@dataclass(frozen=True)
class Part:
    """Part `number` of `of` parts, from 1 on; a part is a run of consecutive images.

    So the rows of all parts, one part after the other, are those of one process in their order.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """The part in a text such as 2/8. Raises UsageError for any other text, and where there is no such part."""
        found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text)
        number, of = (int(one) for one in found.groups()) if found else (0, 0)
        if not 1 <= number <= of <= MOST:
            raise UsageError(
                f"--part is {show(text)}; give I/N with I from 1 to N, such as 2/8 for the second of eight"
            )
        return cls(number, of)

    def rows(self, n: int) -> range:
        """The numbers of its images among n, whose parts differ by one image at most.

        Raises
        ------
        DataError
            For fewer images than parts, of which some would be empty.
        """
        if n < self.of and self != WHOLE:
            raise DataError(f"there are {n} images for {self.of} parts; give at most {n} parts (--part)")
        return range(n * (self.number - 1) // self.of, n * self.number // self.of)

    def of_source(self, source: Source) -> Source:
        """The images of this part; raises as `rows` does."""
        return source if self == WHOLE else source.select(np.array(self.rows(len(source))))


WHOLE = Part(1, 1)
