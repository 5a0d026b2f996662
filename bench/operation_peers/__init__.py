"""The contenders of `operations`, modules as in peers/, that bind rows of operation_rows.py."""
