"""Training the cascades: the crop they learn from, the loop, its checkpoints and cards."""
