"""Finds which detector fits the user's images.

parts: which images of a class are scored. cast: which classes are known and which is the unknown one. trial: one
detector, and its scores. ranking: the methods in order, and which one to take. bench: every method on every row.
shots_trial, shots: the same with few images of each known class.
"""
