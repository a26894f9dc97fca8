"""What is watched of one model: quality, performance, its versions, the challenger beside it."""
