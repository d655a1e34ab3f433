"""
The journal in Kafka.
"""
