"""Tests of stage keys, the cache and packed trees."""
