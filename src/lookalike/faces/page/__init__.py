"""The web page of one or several runs: images are dropped on it and get their verdicts; a GAN makes images on it."""
