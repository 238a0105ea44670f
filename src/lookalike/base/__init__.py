"""What every room stands on: errors, files that are written whole or not at all, locks, checkpoints and seeds."""
