"""Adapters against the real packages, over HTTP on loopback."""
