"""Statements: their positions in the ledger, lists of them, and the cursors of who follows."""
