"""Limits that hold over several nodes: slices leased from Redis, spent at shared-memory speed."""
