"""SQL of notifications. Each function is part of one transaction on the connection given.

Locks are taken in this order: link, notification, attempt, endpoint; chains of the ledger last.
"""
