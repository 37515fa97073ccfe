"""How a model is trained and judged without a leak: split, scaling, windows, error (§7 of the paper)."""
