"""The contract: what goes over the wire, what stands in the configuration, and which errors there are."""
