//! Tries to overspend: seeded runs of many nodes, one store and a network that fails.

fn main() {}
