"""Real I/O: a TUN device, a sandbox in which the Linux kernel is the peer, and the loop that drives a host."""
