"""From nothing, or from a file, to media objects on disk that are ready to be stored."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tams_demo import cutting
from tams_demo.clip import Clip
from tams_demo.cutting import MediaObject
from tams_demo.encoding import transcode
from tams_demo.making import record
from tams_demo.report import Report
from tams_demo.scanning import scan
from tams_demo.wrapping import TS, Wrapping


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip cut into media objects, track by track; times in seconds; `end` is that of its first track."""

    label: str
    tracks: tuple[tuple[MediaObject, ...], ...]
    end: Fraction
    target: Fraction


def make(folder: Path, *, report: Report, seconds: int, target: Fraction, wrapping: Wrapping = TS) -> Recording:
    """Record `seconds` of a test picture and tone, and cut them."""
    path = folder / "clip.mp4"
    with report.step("make", "seconds of media", total=seconds) as step:
        record(path, seconds=seconds, segment=target, tick=lambda time: step.reach(int(time)))
        step.reach(seconds)
        step.size = path.stat().st_size
    return _Cutter(folder, report, target, wrapping).cut(scan(path), "Test picture and tone")


def take(file: Path, folder: Path, *, report: Report, target: Fraction, wrapping: Wrapping = TS) -> Recording:
    """Cut the file of one's own, encoding it anew only if it cannot be stored as it is. Raises `UnusableClip`."""
    with report.step("read", "packets") as step:
        clip = scan(file)
        step.reach(sum(len(track.at) for track in clip.tracks))
        step.size = file.stat().st_size
    if clip.flaw:
        report.say(f"{file.name} is encoded anew ({clip.flaw})")
        with report.step("encode", "seconds of media", total=int(clip.end) or None) as step:
            path = folder / "clip.mp4"
            transcode(clip, path, segment=target, tick=lambda time: step.reach(int(time)))
            step.size = path.stat().st_size
        clip = scan(path)
    return _Cutter(folder, report, target, wrapping).cut(clip, file.stem)


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Makes media objects of about `target` seconds in `folder`."""

    folder: Path
    report: Report
    target: Fraction
    wrapping: Wrapping

    def cut(self, clip: Clip, label: str) -> Recording:
        """The clip as media objects."""
        plan = cutting.plan(clip, self.target)
        tracks: list[tuple[MediaObject, ...]] = []
        with self.report.step("cut", self.wrapping.plural, total=sum(map(len, plan))) as step:
            for pieces in plan:
                objects: list[MediaObject] = []
                for media in cutting.write(clip, pieces, folder=self.folder, wrapping=self.wrapping):
                    objects.append(media)
                    step.advance(size=media.size)
                tracks.append(tuple(objects))
        return Recording(label, tuple(tracks), clip.tracks[0].end, self.target)
