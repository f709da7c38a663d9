"""One real Apache Kafka node, for tests and for trying things on a machine without containers."""
