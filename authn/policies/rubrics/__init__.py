"""The Asset Rubrics of C2PA, and what they say of one file: labels beside the words of this house."""
