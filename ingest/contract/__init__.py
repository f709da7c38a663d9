"""What the front door promises to everyone downstream: events, their topics, ids and encoding, and its routes."""
