"""
The answers of Message to reads.

views  the answers, as sessions take them
"""
