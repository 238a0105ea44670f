"""The base of all rooms: errors, files that are written whole or not at all, locks, checkpoints and seeds."""
