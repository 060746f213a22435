"""Models that leave the run: a bundle that predicts."""
