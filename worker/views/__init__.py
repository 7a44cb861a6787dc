"""What comes out of a stream: transcript, summary, questions, and how the model is asked for them.

It knows the engine by its face, and neither Redis nor metrics.
"""
