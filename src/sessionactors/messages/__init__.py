"""The typed messages of a session, one module for each stretch of the path.

``ear`` source to turn; ``turn`` facts about the user; ``floor`` who may speak; ``speech`` one agent speech; ``llm``,
``tools``, ``tts``, ``output``, ``history`` the services it uses; ``room`` the link; ``session`` lifecycle and commands.

Times named ``at`` are kernel clock nanoseconds; durations are seconds.
"""
