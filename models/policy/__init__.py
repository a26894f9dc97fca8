"""From findings to alerts, incidents and requests to retrain."""
