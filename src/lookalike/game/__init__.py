"""One GAN game: what D is shown, how it answers, what is lost, the networks, and the only training loop."""
