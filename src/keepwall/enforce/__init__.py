"""The planes: where an envelope is enforced. Planes do not know each other."""
