"""Pictures: measured before they are decoded, then drawn anew, so that nothing but pixels is left of them."""

from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, ImageSequence

from omnify_files.inspection import Findings, Made, Refusal
from omnify_files.kinds import Kind

MAX_PIXELS: Final = 40_000_000  # of all frames together
MAX_FRAMES: Final = 500
THUMBNAIL: Final = (512, 512)
_MODES: Final = {"L", "LA", "RGB", "RGBA"}
_SAVING: Final[dict[str, dict[str, object]]] = {
    "png": {"compress_level": 6},
    "jpeg": {"quality": 90, "progressive": True},
    "gif": {},
    "webp": {"quality": 90},
}


def look_at_image(kind: Kind, path: Path, folder: Path) -> Findings:
    """Width, height and frames; the picture drawn anew and a thumbnail of it. Raises Refusal."""
    Image.MAX_IMAGE_PIXELS = None  # our own bound comes first and says how many
    with Image.open(path, formats=[kind.name.upper()]) as image:
        frames = getattr(image, "n_frames", 1)
        _check_size(image.width, image.height, frames)
        image.load()
        drawn, thumbnail = folder / "content", folder / "thumbnail"
        size = image.size
        if frames > 1:
            _redraw_moving(image, kind, drawn)
        else:
            plain = _plain(image)
            size = plain.size
            plain = plain.convert("RGB") if kind.name == "jpeg" and plain.mode not in {"L", "RGB"} else plain
            plain.save(drawn, format=kind.name.upper(), **_SAVING[kind.name])
        image.seek(0)
        _thumbnail(image).save(thumbnail, format="WEBP", quality=80)
        facts = {"width": size[0], "height": size[1], "frames": frames}
    extension = kind.extensions[0]
    made = {
        "content": Made(drawn, kind.media_type, extension),
        "thumbnail": Made(thumbnail, "image/webp", "webp"),
    }
    return Findings(facts, made)


def _check_size(width: int, height: int, frames: int) -> None:
    if frames > MAX_FRAMES:
        raise Refusal("too-many-pixels", f"it has {frames} frames; {MAX_FRAMES} are taken")
    if width * height * frames > MAX_PIXELS:
        raise Refusal("too-many-pixels", f"it has {width * height * frames} pixels; {MAX_PIXELS} are taken")


def _plain(image: Image.Image) -> Image.Image:
    """The pixels as they are meant to be seen, without a profile, a comment, a place or a date."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode not in _MODES:
        upright = upright.convert("RGBA" if upright.mode in {"P", "PA", "La", "RGBa"} else "RGB")
    bare = Image.new(upright.mode, upright.size)
    bare.paste(upright)
    return bare


def _redraw_moving(image: Image.Image, kind: Kind, path: Path) -> None:
    shown = [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]
    durations = [int(frame.info.get("duration", 100)) for frame in ImageSequence.Iterator(image)]
    for frame in shown:
        frame.info = {}
    loop = int(image.info.get("loop", 0))
    first, *rest = shown
    first.save(
        path, format=kind.name.upper(), save_all=True, append_images=rest, duration=durations, loop=loop,
        **({"disposal": 2} if kind.name == "gif" else {}),
    )  # fmt: skip


def _thumbnail(image: Image.Image) -> Image.Image:
    small = ImageOps.exif_transpose(image).convert("RGBA")
    small.thumbnail(THUMBNAIL)
    small.info = {}
    return small
