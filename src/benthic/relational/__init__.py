"""Predictions over relational databases."""
