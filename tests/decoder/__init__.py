"""The grammar in the hands of a decoder: what llguidance lets a model write, the parser reads."""
