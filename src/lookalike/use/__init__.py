"""What a trained model is used for: evaluate it, score images, generate images, and measure what it generates."""
