"""The long forms of what RELIABILITY.md and SECURITY.md promise; `make soak` runs them all."""
