"""People's verdicts: disputed pairs, the page that asks about them, the file that remembers, and who agrees."""
