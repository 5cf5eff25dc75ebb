"""Where real pictures come from: named sets, folders of photos, and which of them a question means."""
