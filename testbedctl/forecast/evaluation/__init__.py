"""Evaluation: every model beside the baselines on the same steps, tables, figures, and the paper's claims."""
