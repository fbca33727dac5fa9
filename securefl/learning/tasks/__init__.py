"""Tasks: what is predicted, with which loss, and how it is judged. A file or folder each."""
