"""The brain: events in; state, changes and actions out."""
