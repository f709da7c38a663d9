"""The hands: actions and changes in, effects out."""
