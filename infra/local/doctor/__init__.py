"""make doctor: what this machine lacks for the local stack, and how to mend it. A line for each part.

Runs with any Python from 3.9 on, before there is an environment: it imports nothing but the standard library and
`infra.parts`. Checks of a configured object store (S3=config.toml) run in the environment, by `infra.conformance`.
"""
