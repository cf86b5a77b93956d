"""The language server: `server.py` speaks the protocol of editors, the other files know Rein.

It may use every other room; none uses it but the command.
"""
