"""SQL of intake, and nothing else."""
