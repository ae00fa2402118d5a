"""Personal data and secrets in rows: found by form and check digits, redacted consistently within a row, or dropped."""
