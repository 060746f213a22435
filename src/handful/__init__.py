"""Trains an accurate image classifier from a handful of pictures, and says how good it is and how sure that is."""
