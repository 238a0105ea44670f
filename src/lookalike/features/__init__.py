"""Frozen networks that others trained, and what they see in an image."""
