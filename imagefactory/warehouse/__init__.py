"""The Image Warehouse: protocol, records, embedded store, query language, HTTP server and client."""
