"""The benchmark: what a box, a slice and a stack cost, as medians and as ratios within one run."""
