"""Trains, exports and evaluates the demo models of ``models/``.

Needs PyTorch for training only; evaluation runs the ONNX files with ONNX Runtime.
"""
