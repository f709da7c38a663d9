"""Alembic's environment, shared by every database of ours; the versions live with the tables' owners."""
