"""How a person meets the library: the command line, Python's functions and scikit-learn's estimators."""
