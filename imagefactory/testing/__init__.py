"""Fakes and contract suites that we ship: for our tests, and for those who write their own plug-ins."""
