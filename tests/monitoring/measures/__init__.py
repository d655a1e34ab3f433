"""
Histograms, and the pages for Prometheus.
"""
