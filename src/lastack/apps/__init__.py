"""Applications on the sockets of a host, the same in virtual time and on a device: small services, HTTP."""
