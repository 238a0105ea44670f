"""Finds which detector fits the user's images.

parts: which images of a class are scored. trial: one detector, and its scores. bench: each class in turn is the unknown
one, for every method.
"""
