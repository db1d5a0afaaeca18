"""Trial: any refusal rendered from Python is what the hot path renders for such an exchange.

Method: one refused by a worker, and the same one made up.
"""

import orjson

from fastgw.explain.trial import refuse
from tests.worker import Worker, chat, request


def test_a_refusal_made_up_is_the_one_that_a_worker_sends(tmp_path):
    worker = Worker(tmp_path)
    client = worker.connect()
    client.feed(request(chat(), key="nobody"))
    sent = client.taken()
    id = orjson.loads(sent.partition(b"\r\n\r\n")[2])["error"]["fastgw"]["request_id"]

    assert refuse(worker.plan.explainer, 302, 1, request_id=id.encode()) == sent
