"""Acting at the provider: requests and replies are pure, the client is thin."""
