"""Everything that touches the world: Faust, Kafka, Redis, Prometheus, files, the command line. Read `worker` first."""
