"""Rooms over HTTP and WebSocket: what :attr:`.RoomSupervisor.router` and the inspection endpoint are made of.

FastAPI and uvicorn are an extra (``pip install 'sessionactors[service]'``); only this package imports them.
"""
