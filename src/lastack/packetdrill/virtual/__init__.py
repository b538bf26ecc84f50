"""lastack as the machine under test: a host in virtual time."""
