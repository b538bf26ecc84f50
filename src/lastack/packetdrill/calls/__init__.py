"""The system calls of a script: arguments decoded, performed on a machine's `System`, results checked."""
