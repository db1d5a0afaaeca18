"""Phase POLICY: rules in order; limits are collected here."""
