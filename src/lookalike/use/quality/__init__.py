"""Figures that judge a detector, each with its interval."""

from __future__ import annotations

from lookalike.detect.auc import Band, Interval, Rate, auc, rate, roc_curve_band

__all__ = ["Band", "Interval", "Rate", "auc", "rate", "roc_curve_band"]
