"""What every stage stands on: settings, clock, logs, the store, the bus, the ledger and trust."""
