"""The worst case against the worst host: what no run may reach, and who tries."""
