"""Sessions that have no row: in host memory, in files, and as snapshots that outlive the process.

It moves what the model computed and never computes anything.
"""
