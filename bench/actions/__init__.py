"""The hands beside the bare SDK."""
