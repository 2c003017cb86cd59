"""Rooms in a FastAPI service: open them, type, call, look inside.  make serve, then open /docs.  Needs no account."""

from __future__ import annotations

import os
import secrets

import uvicorn
from fastapi import FastAPI

from sessionactors import Agent, HttpOptions, RoomSupervisor, SessionSpec
from sessionactors.providers import offline

TOKEN = os.environ.get("DESK_TOKEN") or secrets.token_urlsafe()


def session_for(room: str) -> SessionSpec:
    """What the session of a room is made of."""
    agent = Agent(instructions="You are the front desk of a hotel.")
    return SessionSpec(agent=agent, llm=offline.RuleBasedLLM(offline.FRONT_DESK))


rooms = RoomSupervisor(session_for, http=HttpOptions(tokens={TOKEN: ("look", "talk", "intervene")}))
app = FastAPI(lifespan=rooms.lifespan)
app.include_router(rooms.router, prefix="/sessions")

if __name__ == "__main__":
    print(f"curl -H 'Authorization: Bearer {TOKEN}' localhost:8000/sessions/rooms")
    uvicorn.run(app, host="127.0.0.1", port=8000)
