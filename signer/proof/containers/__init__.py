"""One finder per kind of container: where the places lie that C2PA reserves for a manifest store.

A finder yields places as it comes upon them, so that what was found before a break counts. It says nothing
about what stands in a place: ``signer.proof.container`` decides whether that is a C2PA store.
"""
