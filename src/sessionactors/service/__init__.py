"""Rooms in a service."""
