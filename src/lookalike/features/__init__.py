"""Features of images: frozen networks that others trained, and the interface of every feature extractor."""
