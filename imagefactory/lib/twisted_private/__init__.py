"""Private names of Twisted that we need, with public ones: no other module touches any.

`tests/lib/twisted_private` asserts each name and what it does: if it fails with a new version of Twisted, these modules
have to change. setup.cfg keeps versions out that were not tried.
"""
