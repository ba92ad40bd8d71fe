"""Who is believed: one root key per installation, role keys, certificates and join tokens.

`verify` needs only the root's public key and imports little, because it is on the start path of
``keepwall run``; `trust` is the signing side.
"""
