"""Tests of `checkrein.schema`."""
