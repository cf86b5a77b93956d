"""Tests of how policies are compared."""
