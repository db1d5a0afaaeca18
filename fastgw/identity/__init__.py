"""Phases DIALECT, AUTHENTICATE and IDENTIFY: whose request this is, and what it asks for."""
