"""Records, profiles, errors and expectations: what the other packages agree on. Imports nothing of ours."""
