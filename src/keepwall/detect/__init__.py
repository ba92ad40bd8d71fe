"""Detection: Sigma rules over events, evaluated in process."""
