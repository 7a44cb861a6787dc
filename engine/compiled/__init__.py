"""Steps of few single tokens in compiled code, where a compiler is: on a CPU, for Llama's shape.

step.cc computes such a step in one call, from the weights and rows as they lie. compiler.py makes a
library of it, once for a machine; layout.py says how oneDNN has arranged a weight; shape.py finds
the weights in a model; steps.py runs them. What it answers is checked when a model is
loaded (engine/model/self_check.py).
"""
