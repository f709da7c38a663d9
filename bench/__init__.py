"""Peers beside us, one command each: measured in one run, told as ratios."""
