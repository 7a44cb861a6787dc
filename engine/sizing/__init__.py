"""What a model needs, before it is loaded: bytes to the last one, and formats that fit a machine.

`shape` looks at the model without its weights, `machine` at the processor and the memory, `choice`
decides what was left open, `plan` adds up. The last two are arithmetic and nothing else.
"""
