"""One GAN game: the input of D, its answer, the losses, the networks, and the only training loop of GANs."""
