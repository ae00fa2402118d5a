"""Row-scoped filters: each file is one stage, each stage a dict of named rules."""
