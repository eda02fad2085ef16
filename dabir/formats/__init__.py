"""What is signed or hashed, to the byte, as docs/formats.md specifies it. Pure: no network, no clock, no database."""
