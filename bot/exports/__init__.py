"""Readers of usage exports: bytes in, records and problems out, one module a format."""
