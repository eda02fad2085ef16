"""Documents (سند): bytes in segments in S3, their digests and inspection, claims, retention and handover."""
