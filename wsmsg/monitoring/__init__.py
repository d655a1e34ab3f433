"""
Health, metrics, logs and the admin listener.
"""
