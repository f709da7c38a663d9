"""What a callback costs at the front door, beside what people write today."""
