"""Frozen activations of pictures, computed once."""
