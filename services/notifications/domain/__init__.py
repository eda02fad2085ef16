"""The rules of telling: where, of what, when, and what is stated of it. Pure: no network, no database, no clock."""
