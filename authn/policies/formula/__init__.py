"""Expressions over JSON: the part of json-formula that C2PA's Asset Rubrics use, and policies with them."""
