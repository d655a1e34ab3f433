"""
The tests, in the shape of the package; C{integration} and C{faults} run the real
daemons as processes of their own.
"""
