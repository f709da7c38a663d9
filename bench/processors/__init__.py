"""What an event costs in the brain, beside what people build on Kafka today."""
