"""A worker of a LiveKit server: takes jobs from it and runs each as a program on this process's loops.

``AgentServer`` is what users hold; ``worker_actor`` owns the connection and the ledger of jobs; ``job_life`` runs one
job. What needs ``livekit`` is imported when a worker runs (extra ``livekit-worker``), so that options can be made
without it.
"""
