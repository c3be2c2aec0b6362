"""What both servers, REST and warehouse, share in how they treat a connection."""
