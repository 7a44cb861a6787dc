"""Capitals and marks for raw words, by a small encoder that reads once and writes no letter."""
