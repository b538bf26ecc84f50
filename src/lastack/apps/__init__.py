"""Applications on the sockets of a host, the same in virtual time and on a device: small services, HTTP.

None of them uses urgent data (SHLD-13, RFC 6093 section 5), or changes the Differentiated Services field of a
connection (SHLD-23).
"""
