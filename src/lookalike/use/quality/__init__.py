"""Figures of a detector and of generated images, each with its interval or standard error."""

from __future__ import annotations

from lookalike.detect.auc import Band, Interval, Rate, auc, rate, roc_curve_band

__all__ = ["Band", "Interval", "Rate", "auc", "rate", "roc_curve_band"]
