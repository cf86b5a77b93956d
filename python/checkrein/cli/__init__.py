"""The `checkrein` command: a file per command, each imported only when it is used."""
