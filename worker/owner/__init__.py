"""Which streams are this worker's, which of them a round looks at, and how far they are behind.

It takes, keeps and gives back; what becomes of a stream is the business of `stream`.
"""
