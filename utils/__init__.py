"""Errors, command lines, progress, files, threads, signals, downloads. Imports no other room."""
