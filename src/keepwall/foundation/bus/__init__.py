"""The bus: events as at-least-once messages, and signed documents in key-value buckets.

`contract` holds what a bus promises; `memory` keeps it inside one process, `nats` between
processes over JetStream, and `server` starts a NATS server when none is configured. `signed` and
`snapshot` are about the documents; they load neither asyncio nor a NATS client.
"""
