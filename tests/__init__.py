"""Tests: the folders mirror the package; `functional` runs real processes, sockets and machines."""

from hypothesis import HealthCheck, settings

# A busy machine makes examples slow, not wrong: no test depends on time.
settings.register_profile("imagefactory", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("imagefactory")
