"""Bulk: a message for each row of a file. All rows are read before the first is asked for, and a row has the same id
whenever the file is sent again: so what was stopped goes on, and nothing is done twice.
"""
