"""
The tests, laid out as the package is; L{tests.run} runs them all.
"""

from hypothesis import settings

# How long an example takes depends on the machine, not on the code.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
