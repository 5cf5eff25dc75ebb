"""Making room for a manifest without harming what is there, where the engine's own way does harm.

``bmff``  HEIF, AVIF, MP4, MOV: a box of the right size behind ``ftyp``, and every offset in the file moved.
``jpeg``  before everything else, where the engine would part a list of pictures from the pictures.
``tiff``  a second first directory at the end of the file; not one byte of the first is moved.

All but ``bmff`` give a ``Layout``: the engine signs its digest, and the file is put together from it.
"""
