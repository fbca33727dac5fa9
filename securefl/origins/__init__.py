"""Tables that are no text where a hospital keeps them: a file each for what they are taken out of."""
