"""The protocols and ports through which sessions reach vendors, transports and user code."""
