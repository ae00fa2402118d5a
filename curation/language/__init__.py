"""Which natural language a row is in."""
