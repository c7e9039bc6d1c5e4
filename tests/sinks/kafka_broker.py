"""librdkafka's mock cluster of one broker, as a process of its own: python kafka_broker.py [ADVERTISED_PORT].

Says its port on the first line. Commands on standard input: `down`, `up`, `errors API CODE [CODE…]`: the next answers
to requests of that API (0 is Produce). Each is answered by a line `ok`. It keeps about 5 MB a partition.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import confluent_kafka

_PRODUCER = 0


def library() -> ctypes.CDLL:
    [path] = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*.so*")
    found = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(found, name).restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return found


def main() -> None:
    kafka = library()
    text = ctypes.create_string_buffer(512)
    client = kafka.rd_kafka_new(_PRODUCER, ctypes.c_void_p(kafka.rd_kafka_conf_new()), text, 512)
    cluster = ctypes.c_void_p(kafka.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), 1))
    bootstraps = kafka.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    if len(sys.argv) > 1:
        kafka.rd_kafka_mock_broker_set_host_port(cluster, 1, b"127.0.0.1", int(sys.argv[1]))
    print(bootstraps.rpartition(":")[2], flush=True)
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "down":
            kafka.rd_kafka_mock_broker_set_down(cluster, 1)
        elif command == "up":
            kafka.rd_kafka_mock_broker_set_up(cluster, 1)
        else:
            api, *codes = map(int, numbers)
            kafka.rd_kafka_mock_push_request_errors_array(
                cluster, ctypes.c_int16(api), ctypes.c_size_t(len(codes)), (ctypes.c_int * len(codes))(*codes)
            )
        print("ok", flush=True)


if __name__ == "__main__":
    main()
