"""`weir exporter`: what Redis knows of all streams, and of itself, as Prometheus metrics.

It holds no lease and reads no entry: its figures are true whether workers run, hang or are dead.
"""
