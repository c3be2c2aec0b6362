"""The engine that needs no virtual machine: packages are unpacked into a root tree on this host."""
