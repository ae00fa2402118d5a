"""Set-scoped stages that drop copies: exact ones by digest, near ones by MinHash and verified Jaccard similarity."""
