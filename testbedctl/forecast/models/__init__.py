"""The models: the paper's LSTM and Transformer, ours, and the baselines that each has to beat."""
