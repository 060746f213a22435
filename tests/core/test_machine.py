from handful.core.machine import count_threads, describe_machine, limit_threads, versions


def test_threads_are_what_was_asked_for_or_the_cores():
    assert count_threads(3) == 3
    assert count_threads(None) >= 1


def test_the_description_names_the_threads():
    assert describe_machine(2).endswith("2 threads used")


def test_the_limit_reaches_the_linear_algebra_library():
    import numpy as np
    from threadpoolctl import threadpool_info

    with limit_threads(1):
        np.ones((4, 4)) @ np.ones((4, 4))
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {1}


def test_versions_name_the_libraries_that_decide_numbers():
    assert {"python", "handful", "torch", "pillow"} <= set(versions())
