"""Which files the image installs, by their hashes: `python -m ops.lock` writes them anew.

requirements.txt has all libraries but torch, torch-cpu.txt the build of it for processors, and
torch-cuda.txt the one for NVIDIA GPUs with what that needs. Versions are those of constraints.txt.
"""
