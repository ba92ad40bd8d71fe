"""The history of the schema; one file per step, never edited once released."""
