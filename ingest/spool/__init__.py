"""The spool: what Kafka cannot take now, on disk, until it can."""
