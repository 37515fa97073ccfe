"""Types of VNF: fitted to the VMs of a trace by k-means (§5.1 of the predictive-slicing paper)."""
