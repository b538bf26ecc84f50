"""What happens to a packet between two hosts, in virtual time or in front of a real device."""
