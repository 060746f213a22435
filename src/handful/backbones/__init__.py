"""Pre-trained networks, the facts about them, and their weights."""
