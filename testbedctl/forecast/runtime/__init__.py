"""A trained model as one file, loaded without torch."""
