"""What the brain promises downstream: changes, actions, state and their topics."""
