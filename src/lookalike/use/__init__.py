"""What a trained GAN is for: `invert` searches the latent vector of an image, `score` turns it into a verdict."""
