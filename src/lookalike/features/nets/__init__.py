"""The architectures of those networks, built so that their published weights fit."""
