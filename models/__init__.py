"""The core: pure functions of records and state, without I/O, clock or environment. Read `pipeline` first."""
