"""Weights with their model cards: safetensors and JSON, never pickle."""
