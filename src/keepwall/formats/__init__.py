"""Pure conversions between bytes and the vocabulary; nothing here reads or writes anything."""
