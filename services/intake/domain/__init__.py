"""The rules of the registry office. Pure: no network, no database, no clock of its own."""
