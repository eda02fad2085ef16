"""documents on the wire: proto in, proto out."""
