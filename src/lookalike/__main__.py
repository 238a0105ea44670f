"""`python -m lookalike`, the same as the command `lookalike`."""

from lookalike.faces.cli import entry

if __name__ == "__main__":
    entry()
