"""One hidden weight applied eight times, as a recurrent network unrolled."""
