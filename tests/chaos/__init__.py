"""Faults against a worker on a real Kafka and a real Valkey, and what must hold all the same."""
