"""The settings that change how a task is shown, by the names of the platform's documents.

Each has two names there, for example ``NoShuffle`` and ``NoShuffleSetting``.
"""
# ruff: noqa: N802 - they read as the classes of the documents

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rapidata_core.errors import ValidationError
from rapidata_core.types import Setting

# The task types that know a setting; what is not listed works everywhere.
_MEANT_FOR = {
    "no_shuffle": ("classification", "compare"),
    "compare_unsure": ("compare", "ranking"),
    "keyboard_numeric": ("free_text",),
    "free_text_minimum_characters": ("free_text",),
    "free_text_max_characters": ("free_text",),
    "locate_max_points": ("locate",),
    "locate_min_points": ("locate",),
    "reference_overlay": ("compare",),
    "compare_panorama": ("compare",),
    "compare_equirectangular": ("compare",),
    "classify_equirectangular": ("classification",),
}


def doubts(settings: Sequence[Setting], task_type: str) -> list[str]:
    """A sentence about every setting that a task type does not know; it would have no effect.

    Args:
        settings: What was chosen.
        task_type: As in a job spec, for example ``compare``.
    """
    return [
        f"the setting {setting.key!r} has no effect on {task_type}; it is for "
        f"{' and '.join(_MEANT_FOR[setting.key])}"
        for setting in settings
        if task_type not in _MEANT_FOR.get(setting.key, (task_type,))
    ]


def NoShuffle() -> Setting:
    """Keep the answer options in the given order, as a Likert scale needs."""
    return _switch("no_shuffle")


def AllowNeitherBoth(delay_ms: int = 5000) -> Setting:
    """Let labelers of a compare job answer "neither" or "both", after so many milliseconds."""
    return _number("compare_unsure", delay_ms, least=0)


def Markdown() -> Setting:
    """Render text datapoints as (limited) markdown."""
    return _switch("use_main_text_markdown")


def MuteVideo() -> Setting:
    """Play videos without sound."""
    return _switch("mute_video_asset")


def OriginalLanguageOnly() -> Setting:
    """Show the task in its own language only, untranslated."""
    return _switch("force_original_language")


def SwapContextInstruction() -> Setting:
    """Show the context where the instruction usually is, and the other way round."""
    return _switch("swap_question_and_prompt")


def PlayPercentageVideo(percentage: int = 95) -> Setting:
    """Accept an answer only after so much of a video or audio clip was played."""
    return _number("media_played_percentage", percentage, least=0, most=95)


def NoMistakeOption() -> Setting:
    """Offer "no mistake" as an answer."""
    return _switch("no_mistake")


def DisableAutoloop() -> Setting:
    """Play videos once instead of again and again."""
    return _switch("disable_autoloop")


def NoInstructionDisplay() -> Setting:
    """Show no instruction."""
    return _switch("no_aux_text")


def TranslateTextAssets() -> Setting:
    """Translate text datapoints into the labeler's language."""
    return _switch("translate_text_assets")


def PinContextMedia() -> Setting:
    """Keep the media context in view as a thumbnail."""
    return _switch("media_context_persistent_thumbnail")


def KeyboardNumeric() -> Setting:
    """Bring up a keyboard of digits for a free text."""
    return _switch("keyboard_numeric")


def FreeTextMinimumCharacters(value: int) -> Setting:
    """Refuse free texts that are shorter."""
    return _number("free_text_minimum_characters", value, least=1)


def FreeTextMaxCharacters(value: int = 1024) -> Setting:
    """Refuse free texts that are longer."""
    return _number("free_text_max_characters", value, least=1)


def LocateMaxPoints(value: int = 3) -> Setting:
    """Let labelers tap on at most so many points."""
    return _number("locate_max_points", value, least=1)


def LocateMinPoints(value: int = 1) -> Setting:
    """Have labelers tap on at least so many points."""
    return _number("locate_min_points", value, least=1)


def ReferenceOverlay() -> Setting:
    """Let labelers lay the reference image over the two items of a compare job."""
    return _switch("reference_overlay")


def ComparePanorama() -> Setting:
    """Show the two items of a compare job as panoramas."""
    return _switch("compare_panorama")


def CompareEquirectangular() -> Setting:
    """Show the two items of a compare job as 360 degree images."""
    return _switch("compare_equirectangular")


def ClassifyEquirectangular() -> Setting:
    """Show the item of a classification as a 360 degree image."""
    return _switch("classify_equirectangular")


def CustomSetting(
    key: str, value: str, target: Literal["rapids", "campaign"] = "rapids"
) -> Setting:
    """A switch that has no name here; see :class:`rapidata_core.types.Setting`."""
    if not key.strip():
        raise ValidationError("CustomSetting", ["key must not be blank"])
    return Setting(key=key, value=str(value), target=target)


def _switch(key: str) -> Setting:
    return Setting(key=key, value="true")


def _number(key: str, value: int, *, least: int, most: int | None = None) -> Setting:
    is_number = isinstance(value, int) and not isinstance(value, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not is_number or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValidationError(key, [f"must be a whole number {limits}, not {value!r}"])
    return Setting(key=key, value=str(value))


NoShuffleSetting = NoShuffle
AllowNeitherBothSetting = AllowNeitherBoth
MarkdownSetting = Markdown
MuteVideoSetting = MuteVideo
OriginalLanguageOnlySetting = OriginalLanguageOnly
SwapContextInstructionSetting = SwapContextInstruction
PlayPercentageVideoSetting = PlayPercentageVideo
NoMistakeOptionSetting = NoMistakeOption
DisableAutoloopSetting = DisableAutoloop
NoInstructionDisplaySetting = NoInstructionDisplay
TranslateTextAssetsSetting = TranslateTextAssets
PinContextMediaSetting = PinContextMedia
KeyboardNumericSetting = KeyboardNumeric
FreeTextMinimumCharactersSetting = FreeTextMinimumCharacters
FreeTextMaxCharactersSetting = FreeTextMaxCharacters
LocateMaxPointsSetting = LocateMaxPoints
LocateMinPointsSetting = LocateMinPoints
ReferenceOverlaySetting = ReferenceOverlay
ComparePanoramaSetting = ComparePanorama
CompareEquirectangularSetting = CompareEquirectangular
ClassifyEquirectangularSetting = ClassifyEquirectangular
