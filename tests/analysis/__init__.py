"""What is known of a policy before it runs."""
