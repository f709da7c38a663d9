"""Callbacks: their parameters, their signed requests, their sending, and what became of them."""
