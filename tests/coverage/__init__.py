"""Tests of what tests cover."""
