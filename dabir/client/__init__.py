"""The Python client of a member's system: from a profile to letters sent, taken in, answered and proved."""
