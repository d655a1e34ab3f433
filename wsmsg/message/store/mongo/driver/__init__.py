"""
The driver of MongoDB.

pool  connections by txmongo, and what it lacks: the login by SCRAM-SHA-256
"""
