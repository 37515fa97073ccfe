"""Training: configuration, loop, checkpoints, and the directory of a trained model."""
