"""All that knows Redis' commands: keys, leases, commits, reading, publishing, finding streams.

Nothing outside this room names a command or a key of ours.
"""
