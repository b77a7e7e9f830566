"""From the linked LEO tables as they come to typed relations of persons."""
