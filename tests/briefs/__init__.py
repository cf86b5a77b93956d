"""Briefs that people could have written, with policies by somebody who knew two pages of the docs only."""
