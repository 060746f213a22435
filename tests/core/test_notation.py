import pytest

from handful.core.errors import ConfigError
from handful.core.notation import nearest, read_duration, read_factors, read_miss, read_size, read_stack, write_size


def test_a_stack_lists_sizes_and_dropout_from_bottom_to_top():
    assert read_stack("500d0.5-75-5") == ((500, 0.5), (75, 0.0), (5, 0.0))
    assert read_stack("C") == ((None, 0.0),)


def test_a_stack_with_a_wrong_layer_names_it():
    with pytest.raises(ConfigError, match=r"'x' is no layer in it\. Expected the sizes"):
        read_stack("75-x-C")


@pytest.mark.parametrize("text", ["C-5", "5d0.5", "75d1-5"])
def test_a_stack_has_c_and_no_dropout_only_at_its_end(text):
    with pytest.raises(ConfigError, match="C only as the last layer"):
        read_stack(text)


def test_factors_are_read_by_layer():
    assert read_factors(" head=10, head.0=2.5,conv5=0 ", option="weight_factor") == {
        "head": 10.0,
        "head.0": 2.5,
        "conv5": 0.0,
    }
    assert read_factors("", option="weight_factor") == {}


@pytest.mark.parametrize(
    "text", ["head", "head=", "head=ten", "head=-1", "head=nan", "head=inf", "head=1e9", "=3", "a=1=2"]
)
def test_a_factor_that_cannot_work_is_refused(text):
    with pytest.raises(ConfigError, match=r"bias_factor is .*is no factor"):
        read_factors(text, option="bias_factor")


def test_a_layer_named_twice_is_refused():
    with pytest.raises(ConfigError, match="names 'head' twice"):
        read_factors("head=1,head=2", option="weight_factor")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("5m", 300.0), ("1.5h", 5400.0), (" 2m ", 120.0)])
def test_a_length_of_time_becomes_seconds(text, seconds):
    assert read_duration(text, option="time") == seconds


@pytest.mark.parametrize("text", ["5", "m", "-5m", "0s", "5 minutes", "1e3s", ""])
def test_a_length_of_time_without_a_unit_or_a_size_is_refused(text):
    with pytest.raises(ConfigError, match="expected a length of time"):
        read_duration(text, option="time")


def test_near_names_are_offered():
    assert nearest("conv6", ["conv1", "conv5", "stem"]).startswith("Did you mean 'conv")
    assert nearest("zebra", ["conv1"]) == ""


def test_what_may_be_missed_is_a_class_and_a_share():
    assert read_miss("defective=0.01") == ("defective", 0.01)
    assert read_miss("a = b=0.5") == ("a = b", 0.5)


@pytest.mark.parametrize("text", ["defective", "=0.1", "defective=1", "defective=0", "defective=few", "defective=nan"])
def test_what_may_be_missed_of_another_form_is_refused(text):
    with pytest.raises(ConfigError, match=r"for instance defective=0\.01"):
        read_miss(text)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("500MB", 500_000_000), ("20gb", 20_000_000_000), (" 1.5 kB ", 1500), ("0", 0), ("0GB", 0), ("2TB", 2 * 10**12)],
)
def test_a_size_becomes_bytes(text, n_bytes):
    assert read_size(text, option="keep") == n_bytes


@pytest.mark.parametrize("text", ["", "5", "GB", "-1GB", "1GiB", "1e3MB", "00", "5 bytes", "1,5GB"])
def test_a_size_that_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError, match=f"keep is '{text}'; expected a size such as 500MB or 20GB, or 0"):
        read_size(text, option="keep")


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (123_456, "123 KB"),
        (999_499, "999 KB"),
        (999_500, "1 MB"),
        (10**10, "10 GB"),
        (2 * 10**14, "200 TB"),
    ],
)
def test_a_size_is_written_in_at_most_three_digits(n_bytes, text):
    assert write_size(n_bytes) == text
