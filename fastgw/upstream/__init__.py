"""Phases ROUTE and UPSTREAM: candidates, connections, retries."""
