"""Statistics of panel columns by cell, with the evidence for disclosure control."""
