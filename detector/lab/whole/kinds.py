"""What kind of content a real picture of a manifest has, where the manifest or what is known of its source
says so."""

from __future__ import annotations

from detector.data.manifest import Row
from detector.models.kinds import Kind

# Sources looked at as contact sheets whose rows name no kind.
_OF_SOURCE = {
    "wesnoth-1.16-data 1:1.16.9-1 (Debian)": Kind.ART,
    "mattermost/docs": Kind.SCREENSHOT,
    "microsoft/Bringing-Old-Photos-Back-to-Life": Kind.SCAN,
    "alexeygrigorev/clothing-dataset": Kind.PHOTO,
    "alexeygrigorev/clothing-dataset-small": Kind.PHOTO,
    "marcusklasson/GroceryStoreDataset": Kind.PHOTO,
    "CID22 (Cloudinary, Pexels sources)": Kind.PHOTO,
    "EdjeElectronics/TensorFlow-Object-Detection-API-Tutorial-Train-Multiple-Objects-Windows-10": Kind.PHOTO,
    "OpenDroneMap/odm_data_seneca": Kind.PHOTO,
    "CLIC 2025 (Unsplash)": Kind.PHOTO,
    "PDDatabase/PDImages": Kind.PHOTO,
    "mapillary/OpenSfM": Kind.PHOTO,
    "aws-samples/amazon-bedrock-samples": Kind.PHOTO,
    "pierotofy/drone_dataset_brighton_beach": Kind.PHOTO,
    "pierotofy/dataset_banana": Kind.PHOTO,
    "alicevision/dataset_buddha": Kind.PHOTO,
    "lsolesen/pel": Kind.PHOTO,
    "udacity/CarND-Advanced-Lane-Lines": Kind.PHOTO,
}
_KINDS = {kind.value: kind for kind in Kind}


def kind_of(row: Row) -> Kind | None:
    """None for generated pictures, whose kind of content nobody wrote down, and where nothing is known."""
    if row.fake:
        return None
    if row.kind:
        return _KINDS.get(row.kind)
    return _OF_SOURCE.get(row.source) or (Kind.PHOTO if row.photo_like == "y" else None)
