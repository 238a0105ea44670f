"""From images to scores: detectors, the scale that joins them, their threshold, and the stored model."""
