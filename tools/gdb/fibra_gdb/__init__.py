"""What the commands of ../fibra.py are made of."""
