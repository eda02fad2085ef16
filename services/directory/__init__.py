"""Bodies, their offices, their certificates and what each may be used for."""
