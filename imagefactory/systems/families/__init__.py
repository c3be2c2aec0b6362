"""One package per OS family: what to fetch, how to install and list packages, how to seal.

Pure data and builders of commands.
"""
