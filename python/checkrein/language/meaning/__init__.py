"""What the conditions of a sound policy can be, worked out exactly within a budget."""
