"""One script per claim; each prints what it found, records it, and fails when the claim does not hold."""
