"""The architectures of the published networks, built so that their weights fit."""
