"""What a part that is not ours must do before the hub relies on it, tried on the part itself."""
