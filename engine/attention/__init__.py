"""Exact attention over sinks and recent tokens, and the seam through which models call it.

It carries out a schedule on the memory, and knows neither the model that asks nor who decided.
"""
