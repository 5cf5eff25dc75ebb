"""Many generators of one small labelled set: does a classifier of its classes gain by all that they draw?"""
