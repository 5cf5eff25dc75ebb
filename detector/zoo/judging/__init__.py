"""How good generated pictures are: measures, the features they are taken in, the table of all of them."""
