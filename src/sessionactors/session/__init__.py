"""What users write against: sessions, agents, tools, handles, events."""
