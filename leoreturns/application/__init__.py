"""What an application for data has to say: the data that a study needs, and what it can expect of them."""
