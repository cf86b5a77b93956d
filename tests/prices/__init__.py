"""What models cost: the snapshot against its source, and how usage is read from every provider."""
