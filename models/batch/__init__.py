"""Records that hold many events: read by columns, checked by columns, and given out by columns or event by event."""
