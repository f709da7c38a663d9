"""The ledger of effects: every action is written down before it is performed, and so is every answer."""
