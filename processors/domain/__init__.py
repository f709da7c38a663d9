"""The pure core: facts, how they merge, what a status is worth, and what the rules make of it."""
