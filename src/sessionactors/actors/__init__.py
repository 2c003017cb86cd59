"""The actors every session is made of, one file each. Users' own drop-in actors live in the top-level ``actors/``."""
