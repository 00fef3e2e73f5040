"""What confines, freezes and kills one worker."""
