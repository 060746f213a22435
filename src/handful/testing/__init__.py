"""Toy pictures, a toy backbone and conformance checks, for tests of handful and of its extensions."""
