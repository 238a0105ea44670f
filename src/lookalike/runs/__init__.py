"""A training with its folder: settings, presets, the plan, the records, and the resumable run."""
