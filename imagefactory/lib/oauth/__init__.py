"""Two-legged OAuth 1.0 (RFC 5849): checking requests, and signing them."""
