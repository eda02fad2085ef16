"""SQL of intake, and nothing else. `find` gives None where there is nothing, `get` raises."""
