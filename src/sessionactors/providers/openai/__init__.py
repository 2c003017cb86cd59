"""providers/openai."""
