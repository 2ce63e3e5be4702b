"""What steering_default.py is made of: the themes and their words, the texts written, the figures taken of them."""
