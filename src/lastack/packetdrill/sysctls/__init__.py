"""The sysctls of Linux and of FreeBSD, and the settings here that they are."""
