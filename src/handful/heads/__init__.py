"""New output layers on frozen features: arrays in, arrays out."""
