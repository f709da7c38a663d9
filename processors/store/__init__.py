"""Where rows live: a port, its SQL form, and the in-memory twin."""
