"""Telling bodies, by webhook and e-mail, what waits for them; when to try again; their links."""
