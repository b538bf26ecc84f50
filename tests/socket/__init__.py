"""Tests of blocking sockets."""
