"""What ``python -m npconv COMMAND`` does, a file for each command."""
