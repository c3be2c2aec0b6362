"""Tests of the warehouse's HTTP client."""
