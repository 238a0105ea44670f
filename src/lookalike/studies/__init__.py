"""Many trainings side by side, each measured the same way: benches and the tables of the papers."""
