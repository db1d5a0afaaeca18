"""The shared segment: create, attach, map, sweep."""
