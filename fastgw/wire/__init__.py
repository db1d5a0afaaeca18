"""HTTP/1.1 in both directions, behind one interface: plain and TLS."""
