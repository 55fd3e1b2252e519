"""Minimal valid bodies, and ids that can be told apart by eye."""

from typing import Any

from tams_common.model.values import AUDIO, DATA, IMAGE, MULTI, VIDEO

Body = dict[str, Any]


def flow_id(number: int) -> str:
    """The `number`-th flow id."""
    return f"f1000000-0000-4000-8000-{number:012x}"


def source_id(number: int) -> str:
    """The `number`-th source id."""
    return f"50000000-0000-4000-8000-{number:012x}"


def profile_id(number: int) -> str:
    """The `number`-th profile id."""
    return f"9f000000-0000-4000-8000-{number:012x}"


def video(number: int = 1, source: int = 1, **members: object) -> Body:
    """A video flow."""
    essence = {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}}
    body = _flow(number, source, format_=VIDEO) | {
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": essence,
    }
    return body | members


def audio(number: int = 2, source: int = 2, **members: object) -> Body:
    """An audio flow."""
    body = _flow(number, source, format_=AUDIO) | {
        "codec": "audio/aac",
        "container": "video/mp2t",
        "essence_parameters": {"sample_rate": 48000, "channels": 2},
    }
    return body | members


def image(number: int = 3, source: int = 3, **members: object) -> Body:
    """An image flow."""
    essence = {"frame_width": 320, "frame_height": 180}
    return _flow(number, source, format_=IMAGE) | {"codec": "image/jpeg", "essence_parameters": essence} | members


def data(number: int = 4, source: int = 4, **members: object) -> Body:
    """A data flow."""
    return _flow(number, source, format_=DATA) | {"codec": "application/json", "essence_parameters": {}} | members


def multi(
    number: int = 5, source: int = 5, *, collects: tuple[int, ...] = (), role: str | None = None, **members: object
) -> Body:
    """A multi flow that collects others by number, each in a role of its own unless all have `role`."""
    items = [{"id": flow_id(member), "role": role or f"role {member}"} for member in collects]
    return _flow(number, source, format_=MULTI) | {"flow_collection": items} | members


def video_profile(number: int = 1, *, codec: str = "video/h264", **members: object) -> Body:
    """A profile of a video flow of 25 frames a second."""
    essence = {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}}
    return _profile(number, VIDEO, codec=codec, essence=essence) | members


def audio_profile(number: int = 2, **members: object) -> Body:
    """A profile of a stereo flow."""
    essence = {"sample_rate": 48000, "channels": 2}
    return _profile(number, AUDIO, codec="audio/aac", essence=essence) | members


def image_profile(number: int = 3, **members: object) -> Body:
    """A profile of an image flow."""
    return _profile(number, IMAGE, codec="image/jpeg", essence={"frame_width": 320, "frame_height": 180}) | members


def from_profile(number: int = 1, source: int = 1, *, profile: int = 1, **members: object) -> Body:
    """A flow that takes its technical metadata from a profile."""
    body = {"id": flow_id(number), "source_id": source_id(source), "profile_id": profile_id(profile)}
    return body | members


def _profile(number: int, format_: str, *, codec: str, essence: Body) -> Body:
    technical = {"format": format_, "codec": codec, "container": "video/mp2t", "essence_parameters": essence}
    return {"id": profile_id(number), "tags": {}, "flow_metadata": technical}


def _flow(number: int, source: int, *, format_: str) -> Body:
    return {"id": flow_id(number), "source_id": source_id(source), "format": format_}
