"""librdkafka's producer as fast as it goes: librdkafka.py BOOTSTRAP TOPIC RECORDS RECORD_BYTES [KEY=VALUE ...].

Prints one line of JSON: records a second from the first call to the last answer, and how long records took from the call that
took them to their answer, in ms.
"""

import json
import sys
import time

from confluent_kafka import Producer

# Whoever waits longer for an answer has a broker that hangs.
PATIENCE_SECONDS = 120


def first_of_all(producer, topic, value):
    """Sends one record, which nobody times: the producer knows the topic's leader then and has its id.

    librdkafka asks for the id at once, finds no broker connected yet and looks again half a second later. Whoever is answered sooner
    about the topic would begin sooner, and its first records would wait out the rest of that half second.
    """
    failed = []
    producer.produce(topic, value, on_delivery=lambda error, _: failed.append(error) if error else None)
    if producer.flush(PATIENCE_SECONDS) or failed:
        sys.exit(f"the first record never left: {failed}")


def main():
    bootstrap, topic, records, record_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    settings = dict(word.split("=", 1) for word in sys.argv[5:])
    latencies, failures = [], []

    def answered(error, message):
        if error:
            failures.append(str(error))
        else:
            latencies.append(message.latency() * 1e3)

    own = {"bootstrap.servers": bootstrap, "message.timeout.ms": PATIENCE_SECONDS * 1000}
    producer = Producer(own | settings)
    value = bytes(ord("a") + at % 26 for at in range(record_bytes))
    first_of_all(producer, topic, value)
    began = time.monotonic()
    for _ in range(records):
        while True:
            try:
                producer.produce(topic, value, on_delivery=answered)
                break
            except BufferError:
                # Its queue is full: answers make room.
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(PATIENCE_SECONDS)
    seconds = time.monotonic() - began
    if left or failures or len(latencies) != records:
        sys.exit(f"{left} records never left, {len(failures)} failed: {failures[:3]}")
    latencies.sort()
    told = {
        "records_per_s": records / seconds,
        "avg_ms": sum(latencies) / records,
        "p50_ms": latencies[int((records - 1) * 0.5)],
        "p99_ms": latencies[int((records - 1) * 0.99)],
        "p99.9_ms": latencies[int((records - 1) * 0.999)],
        "max_ms": latencies[-1],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
