"""Append-only Merkle logs, one per writer (RFC 6962, RFC 9162), with signed tree heads.

`ledger.Ledger` writes, `log.LedgerLog` reads, `merkle` proves; `group` shares one flush among
many threads.
"""
