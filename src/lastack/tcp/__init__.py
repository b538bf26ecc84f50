"""One TCP connection: RFC 9293 without I/O, without a clock, without randomness."""
