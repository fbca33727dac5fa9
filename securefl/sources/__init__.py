"""Tables where hospitals keep them: a file each for CSV and whatever comes."""
