"""notifications on the wire: proto in, proto out."""
