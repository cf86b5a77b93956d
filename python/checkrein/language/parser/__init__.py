"""The parser: an LALR machine of our own that follows tables, and the tables, which Lark makes."""

from checkrein.language.parser.machine import Token, Tree, Unexpected, parse
from checkrein.language.parser.tables import Tables, load_tables

__all__ = ["Tables", "Token", "Tree", "Unexpected", "load_tables", "parse"]
