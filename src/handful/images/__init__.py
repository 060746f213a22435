"""Reading pictures and data sets: what is taken, what is skipped, and why."""
