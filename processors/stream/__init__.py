"""The engine: batches from Kafka, exact offsets, dead letters, health. It knows nothing of what is in a record."""
