"""Vendors: one package for each, imported only when used."""
