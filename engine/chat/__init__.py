"""A conversation that never ends: turns in the template's own form, shown while they are decoded.

It uses the engine as anybody does, by its public methods.
"""
