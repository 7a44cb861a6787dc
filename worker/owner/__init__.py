"""Which streams are this worker's, and which of them a round looks at.

It takes, keeps and gives back; what becomes of a stream is the business of `stream`.
"""
