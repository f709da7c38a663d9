"""What the hands promise downstream: results of actions."""
