"""An idempotent librdkafka producer that keeps going while its broker is killed: crash_load.py BOOTSTRAP TOPIC PARTITIONS.

Sends numbered records to every partition until standard input ends, waits until all are acknowledged, and prints one
line per acknowledgement: `PARTITION NUMBER OFFSET`. Values are the number in eight big-endian bytes, then padding.
"""

import struct
import sys
import threading

from confluent_kafka import Producer


def main():
    bootstrap, topic, partitions = sys.argv[1], sys.argv[2], int(sys.argv[3])
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    ledger, failures = [], []

    def delivered(error, message):
        if error:
            failures.append(str(error))
        else:
            number = struct.unpack(">Q", message.value()[:8])[0]
            ledger.append(f"{message.partition()} {number} {message.offset()}")

    settings = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 2,
        "reconnect.backoff.max.ms": 200,
        "message.timeout.ms": 120_000,
    }
    producer = Producer(settings)
    number = 0
    while not stop.is_set():
        for partition in range(partitions):
            value = struct.pack(">Q", number) + b"." * (number * 37 % 1500)
            while True:
                try:
                    producer.produce(topic, value=value, partition=partition, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.1)
        number += 1
        if number % 20 == 0:
            producer.poll(0.002)
    left = producer.flush(50)
    print("\n".join(ledger))
    if left or failures:
        print(f"{left} records never left, failures: {failures[:3]}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
