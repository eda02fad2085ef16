"""Looking into untrusted files: in a child process with limits of memory, processor and time, never in the server."""
