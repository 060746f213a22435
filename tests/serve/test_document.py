"""The OpenAPI document is kept: whatever is asked, the status is one that it names, and the body has its shape."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handful.serve import shapes

KINDS = (
    "",
    "image/png",
    "application/octet-stream",
    "multipart/form-data; boundary=e",
    "multipart/form-data",
    "text/html",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
NO_PATH, NO_METHOD = 404, 405


def test_every_answer_is_one_that_the_document_names(server, photos):
    document = server("GET", "/openapi.json")[2]
    picture = (photos / "circle" / "000.png").read_bytes()
    form = b'--e\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + picture + b"\r\n--e--\r\n"
    bodies = st.one_of(
        st.sampled_from([None, b"", picture, form]),
        st.binary(max_size=200),
        st.integers(1, len(picture)).map(lambda end: picture[:end]),
        st.binary(max_size=60).map(lambda content: b"--e" + content + b"--e--"),
    )
    labels = st.one_of(st.none(), st.sampled_from(["circle", "square", ".."]), st.text(max_size=20))
    others = st.sampled_from([{}, {"host": "evil.example"}, {"origin": "null"}, {"authorization": "Bearer x"}])

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from([*document["paths"], "/nothing"]),
        st.sampled_from(METHODS),
        st.sampled_from(KINDS),
        bodies,
        labels,
        others,
    )
    def ask(path, method, kind, body, label, headers):
        query = "" if label is None else "?label=" + quote(label, safe="", errors="replace")
        status, told, answer = server(method, path + query, body, **({"content-type": kind} if kind else {}), **headers)
        named = document["paths"].get(path, {}).get(method.lower())
        if named is None:
            assert status in (NO_PATH, NO_METHOD, 403, 421)
            assert status != NO_METHOD or "allow" in told
            shape = shapes.Refusal
        else:
            response = named["responses"][str(status)]
            kinds = response["content"]
            assert told["content-type"].partition(";")[0] in kinds
            if "application/json" not in kinds:
                return
            schema = kinds["application/json"]["schema"]
            shape = getattr(shapes, schema.get("$ref", schema.get("title")).rpartition("/")[2])
        shape.model_validate(answer, strict=True)
        assert set(answer) == set(shape.model_fields)

    ask()
