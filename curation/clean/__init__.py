"""Row-scoped stages that edit text; every edit is in the ledger."""
