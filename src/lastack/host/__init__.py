"""One internet host: many connections, listeners, TIME-WAIT, ports, ICMP and BSD sockets. No I/O, no clock."""
