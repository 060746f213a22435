"""Same inputs, same bytes, in short: the toy network; `benchmarks/soak/same_bytes.py` does it with a real one."""

from benchmarks.soak.same_bytes import n_hashes, three_runs

from handful.testing.pictures import draw_folder

SETTING = {"backbone": "toy", "engine": "fused", "threads": 2, "seed": 0}
WAYS = {
    "probe": {},
    "upper layers": {"strategy": "freeze", "freeze": "1", "epochs": 1},
}


def test_places_orders_hash_seeds_and_what_is_kept_change_no_byte(tmp_path):
    draw_folder(tmp_path / "first", per_class=8, size=48)
    counts = n_hashes(three_runs(tmp_path, SETTING, WAYS, brief=["upper layers"]))
    things = ("model", "held-out predictions", "test predictions", "figures", "features")
    assert counts == {"probe": dict.fromkeys(things, 1), "upper layers": dict.fromkeys((*things, "onnx"), 1)}
