"""How good a classifier is, and how sure that is: arrays in, numbers out."""
