"""Every setting, where it is read and checked, and the options and menu of the command line.

It reads the environment and nothing else.
"""
