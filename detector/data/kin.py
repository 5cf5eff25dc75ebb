"""Which sources of a manifest are one: they hold the same files, or the same people's pictures."""

from __future__ import annotations

from detector.data.manifest import Row

# Found by digest.
_KIN = (
    ("alexeygrigorev/clothing-dataset", "alexeygrigorev/clothing-dataset-small"),
    ("SupaGruen/StableDiffusion-CheatSheet", "andygock/FLUX-Style-CheatSheet"),
    ("jamez-bondos/awesome-gpt4o-images", "muset-ai/awesome-nano-banana-pro"),
    ("EvoLinkAI/awesome-gpt-image-2-prompts", "freestylefly/awesome-gpt-image-2"),
    ("aws-samples/amazon-bedrock-samples", "aws-samples/amazon-bedrock-workshop"),
    ("CompVis/latent-diffusion", "invoke-ai/InvokeAI"),
    ("StartBootstrap/startbootstrap-creative", "wowthemesnet/mediumish-theme-jekyll"),
    ("AlexeyAB/darknet", "davisking/dlib"),
)
_FIRST = {name: kin[0] for kin in _KIN for name in kin}


def source_of(row: Row) -> str:
    """The source of a picture; the same name for sources that share pictures."""
    return _FIRST.get(row.source, row.source)
