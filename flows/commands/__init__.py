"""The commands of `sieveline`, a file each; `flows.cli` puts them together."""
