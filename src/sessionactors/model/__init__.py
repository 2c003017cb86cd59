"""Values: frames, chat items, options, tool definitions. Nothing here knows actors, loops or vendors."""
