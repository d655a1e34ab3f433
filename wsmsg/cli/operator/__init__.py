"""
Commands as operators: the calls of an admin listener that need its key.

accounts  the accounts whose processes listen at an address
ask       client of an admin listener
listener  an admin listener, and the key that it is sent
"""
