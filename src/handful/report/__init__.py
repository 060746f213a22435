"""A run folder: numbers, figures and one page."""
