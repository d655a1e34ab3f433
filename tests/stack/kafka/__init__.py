"""
Tests of the journal in a real Kafka.
"""
