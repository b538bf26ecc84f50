"""Bytes to values and values to bytes: IP, TCP and ICMP as they stand on the wire. Knows no connection."""
