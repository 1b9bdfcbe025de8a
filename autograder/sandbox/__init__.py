"""Runs student code, and nothing else does: bubblewrap, limits, and a channel that carries data only."""
