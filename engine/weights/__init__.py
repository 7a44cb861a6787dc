"""Linear layers in int8 and int4, fused, and packed as the processor reads them fastest.

It changes a loaded model in place; it knows neither sessions nor rows.
"""
