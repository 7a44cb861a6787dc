"""The subcommands of `weir`, one per file.

A file has `add_arguments(parser)` and `run(arguments) -> exit code`, or `run_with(argv)` if it
reads its options itself. Its docstring's first paragraph is the command's description.
"""
