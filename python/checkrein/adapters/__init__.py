"""Adapters: they translate a framework's hooks into guarded calls, and decide nothing themselves.

Each is imported on its own and needs only its own framework: `from checkrein.adapters import langchain`.
"""
