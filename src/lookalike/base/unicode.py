"""The one Unicode form in which names are compared."""

from __future__ import annotations

import unicodedata


def composed(name: str) -> str:
    """`name` with each accent in its letter (NFC); file systems such as that of macOS write accents apart."""
    return unicodedata.normalize("NFC", name)
