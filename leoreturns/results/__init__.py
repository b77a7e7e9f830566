"""What an analysis returns: tables of the size of their cells, never of the persons."""
