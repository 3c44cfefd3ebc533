from __future__ import annotations

import httpx


def test_health_readiness_and_metrics_are_there(address: str) -> None:
    assert httpx.get(f"{address}/health").text == "ok\n"
    assert httpx.get(f"{address}/ready").text == "ok\n"
    assert "links_requests_total" in httpx.get(f"{address}/metrics").text


def test_what_is_not_there_is_a_problem(address: str) -> None:
    answer = httpx.get(f"{address}/api/nothing")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    answer = httpx.put(f"{address}/api/links", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_the_description_has_no_answer_without_a_schema(address: str) -> None:
    found = httpx.get(f"{address}/api/openapi.json").json()
    assert found["paths"].keys() >= {"/api/links", "/api/session", "/l/{slug}", "/api/events"}
    for path in found["paths"].values():
        for method in path.values():
            for status, answer in method["responses"].items():
                if status >= "400":
                    assert "application/problem+json" in answer["content"]
