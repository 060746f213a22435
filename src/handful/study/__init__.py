"""Studies: many trainings that differ in a few options, and what they show."""
