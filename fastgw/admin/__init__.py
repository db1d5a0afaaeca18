"""The admin port: API and metrics, off the request path."""
