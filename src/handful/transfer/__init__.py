"""How a pre-trained network is transferred to the user's pictures, and why that way."""
