"""What every room may use: errors, command lines, progress, files, threads, signals, downloads. It imports no other room."""
