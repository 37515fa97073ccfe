"""Search for hyperparameters by hyperband (§7 of the predictive-slicing paper)."""
