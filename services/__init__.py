"""The hub: its services, and the runtime that each of them stands on."""
