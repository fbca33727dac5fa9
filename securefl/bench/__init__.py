"""What `securefl bench` measures: the secure sum alone, and whole rounds between real processes."""
