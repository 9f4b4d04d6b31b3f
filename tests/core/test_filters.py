"""Filters, settings and boxes: what users write, and what the platform reads."""

import inspect
import logging

import pytest

import rapidata_core
from rapidata_core import (
    AgeFilter,
    AgeGroup,
    AllowNeitherBoth,
    AndFilter,
    Box,
    CountryFilter,
    CustomSetting,
    DeviceFilter,
    DeviceType,
    FreeTextMinimumCharacters,
    Gender,
    GenderFilter,
    LanguageFilter,
    LocateMaxPoints,
    NoShuffle,
    NotFilter,
    OrFilter,
    PlayPercentageVideo,
    errors,
    settings,
)
from rapidata_core.filters import (
    UnknownFilter,
    check_filters,
    combined,
    parse_filters,
    read_filter,
)

us, canada = CountryFilter(["us"]), CountryFilter(["CA"])
french = LanguageFilter(["FR"])

# As the platform writes them.
WIRE = [
    (us, {"_t": "CountryFilter", "countries": ["US"]}),
    (french, {"_t": "LanguageFilter", "languages": ["fr"]}),
    (
        AgeFilter([AgeGroup.UNDER_18, AgeGroup.OVER_65]),
        {"_t": "DemographicFilter", "identifier": "age", "values": ["0-17", "65+"]},
    ),
    (
        GenderFilter([Gender.FEMALE]),
        {"_t": "DemographicFilter", "identifier": "gender", "values": ["Female"]},
    ),
    (
        DeviceFilter([DeviceType.PHONE, DeviceType.TABLET]),
        {"_t": "DeviceFilter", "deviceTypes": ["Phone", "Tablet"]},
    ),
    (
        (us | canada) & ~french,
        {
            "_t": "AndFilter",
            "filters": [
                {
                    "_t": "OrFilter",
                    "filters": [
                        {"_t": "CountryFilter", "countries": ["US"]},
                        {"_t": "CountryFilter", "countries": ["CA"]},
                    ],
                },
                {"_t": "NotFilter", "filter": {"_t": "LanguageFilter", "languages": ["fr"]}},
            ],
        },
    ),
]


@pytest.mark.parametrize(("filter_", "wire"), WIRE)
def test_filters_are_written_and_read(filter_, wire):
    assert filter_.wire() == wire
    assert read_filter(wire) == filter_


def test_chains_are_flat():
    assert us & canada & french == AndFilter([us, canada, french])
    assert us | (canada | french) == OrFilter([us, canada, french])
    assert (us & canada) | french == OrFilter([AndFilter([us, canada]), french])
    assert ~us & ~canada == AndFilter([NotFilter(us), NotFilter(canada)])


def test_a_list_means_all_of_it():
    assert combined([us]) == us
    assert combined([us, french]) == AndFilter([us, french])


@pytest.mark.parametrize(
    "wire",
    [
        {"_t": "MoonPhaseFilter", "phase": "full"},
        {"_t": "DemographicFilter", "identifier": "occupation", "values": ["Other"]},
        {"_t": "DemographicFilter", "identifier": "age", "values": ["100+"]},
        {"_t": "CountryFilter", "countries": None},
        {"_t": "NotFilter"},
        {"_t": "AndFilter", "filters": None},
        {"_t": ["CountryFilter"]},
        {},
    ],
)
def test_what_we_do_not_know_is_kept_as_it_is(wire):
    assert read_filter(wire) == UnknownFilter(wire)
    assert read_filter({"_t": "NotFilter", "filter": wire}).wire() == {
        "_t": "NotFilter",
        "filter": wire,
    }


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: CountryFilter(["USA"]), "'USA' is not a code of two letters"),
        (lambda: CountryFilter("US"), "must be a list, not 'US'"),
        (lambda: CountryFilter([]), "must not be empty"),
        (lambda: LanguageFilter(["english", "d1"]), "'d1' is not a code of two letters"),
        (lambda: AgeFilter(["18-25"]), "'18-25' is not one of 0-17, 18-29"),
        (lambda: GenderFilter(["female"]), "'female' is not one of Male, Female, Other"),
        (lambda: DeviceFilter(["Watch"]), "'Watch' is not one of Unknown, Phone, Tablet"),
        (lambda: AndFilter([]), "needs at least one filter"),
        (lambda: NotFilter("US"), "'US' is not a filter"),
        (lambda: check_filters(us), r"must be a list; put the filter into \[ \]"),
        (lambda: combined(["US"]), "'US' is not a filter"),
    ],
)
def test_wrong_filters(make, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        make()


def test_filters_are_read_from_json():
    unknown = UnknownFilter({"_t": "NewFilter", "of": "the platform"})
    given = [us, CountryFilter(["DE"]) | ~us, unknown]
    assert parse_filters([one.wire() for one in given]) == given
    assert parse_filters(given) == given


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ([], "needs at least one filter"),
        ("US", "'U' is not a filter"),
        (us, "must be a list"),
        (us.wire(), "must be a list"),
        ([{}], "{} is not like"),
        ([{"_t": "CountryFilter", "countries": ["USA"]}], "'USA'.* is not like"),
        ([{"_t": "NotFilter", "filter": {"_t": "CountryFilter"}}], "is not like"),
        ([(us & ~us).wire() | {"filters": [{"_t": ["x"]}]}], "is not like"),
    ],
)
def test_json_that_is_no_filter(filters, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        parse_filters(filters)


def test_boxes():
    assert Box(x_min=0.1, y_min=0.2, x_max=0.3, y_max=0.4) == Box(0.1, 0.2, 0.3, 0.4)
    with pytest.raises(errors.ValidationError) as caught:
        Box(-0.1, 0, 1.1, 1)
    assert len(caught.value.problems) == 2
    with pytest.raises(errors.ValidationError, match="x_min must be below x_max"):
        Box(0.5, 0, 0.5, 1)


# The platform's keys, from its contract.
SETTINGS = {
    "NoShuffle": ("no_shuffle", "true"),
    "AllowNeitherBoth": ("compare_unsure", "5000"),
    "Markdown": ("use_main_text_markdown", "true"),
    "MuteVideo": ("mute_video_asset", "true"),
    "OriginalLanguageOnly": ("force_original_language", "true"),
    "SwapContextInstruction": ("swap_question_and_prompt", "true"),
    "PlayPercentageVideo": ("media_played_percentage", "95"),
    "NoMistakeOption": ("no_mistake", "true"),
    "DisableAutoloop": ("disable_autoloop", "true"),
    "NoInstructionDisplay": ("no_aux_text", "true"),
    "TranslateTextAssets": ("translate_text_assets", "true"),
    "PinContextMedia": ("media_context_persistent_thumbnail", "true"),
    "KeyboardNumeric": ("keyboard_numeric", "true"),
    "FreeTextMaxCharacters": ("free_text_max_characters", "1024"),
    "LocateMaxPoints": ("locate_max_points", "3"),
    "LocateMinPoints": ("locate_min_points", "1"),
    "ReferenceOverlay": ("reference_overlay", "true"),
    "ComparePanorama": ("compare_panorama", "true"),
    "CompareEquirectangular": ("compare_equirectangular", "true"),
    "ClassifyEquirectangular": ("classify_equirectangular", "true"),
}


@pytest.mark.parametrize(("name", "wire"), SETTINGS.items())
def test_settings_have_both_names_of_the_documents(name, wire):
    make = getattr(rapidata_core, name)
    setting = make()
    assert (setting.key, setting.value, setting.target) == (*wire, "rapids")
    assert getattr(rapidata_core, f"{name}Setting")() == setting
    assert inspect.getdoc(make)


def test_every_setting_is_public():
    named = {name for name in vars(settings) if name[0].isupper()}
    public = {name for name in named if getattr(rapidata_core, name, None)}
    assert named - public <= {"Setting", "Sequence", "Literal", "ValidationError"}


def test_settings_with_values():
    assert FreeTextMinimumCharacters(20).value == "20"
    assert AllowNeitherBoth(delay_ms=0).value == "0"
    custom = CustomSetting(key="x", value="1", target="campaign")
    assert (custom.key, custom.value, custom.target) == ("x", "1", "campaign")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: AllowNeitherBoth(-1), "must be a whole number of at least 0, not -1"),
        (lambda: PlayPercentageVideo(96), "must be a whole number from 0 to 95, not 96"),
        (lambda: LocateMaxPoints(0), "must be a whole number of at least 1, not 0"),
        (lambda: FreeTextMinimumCharacters("5"), "must be a whole number of at least 1"),
        (lambda: CustomSetting(" ", "x"), "key must not be blank"),
    ],
)
def test_wrong_settings(make, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        make()


def test_settings_without_effect_are_doubted():
    assert settings.doubts([NoShuffle(), LocateMaxPoints()], "locate") == [
        "the setting 'no_shuffle' has no effect on locate; it is for classification and compare"
    ]
    assert settings.doubts([CustomSetting("x", "1")], "locate") == []


def test_logging_is_the_standard_one():
    assert rapidata_core.logger is logging.getLogger("rapidata_core")
