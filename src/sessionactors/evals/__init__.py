"""Evals: conversations in YAML, held with an agent in virtual or in real time, and judged by what is expected."""
