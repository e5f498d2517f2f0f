//! What is measured: programs that print lines of JSON, and how the lines become tables.

use super::Bench;

/// What needs nothing beside it.
pub(super) const EMBEDDED: &[Bench] = &[
    Bench {
        name: "log",
        title: "Embedded log",
        about: "Appends acknowledged by fdatasync, group commit by draining. The floor writes and syncs \
                batches of the same size to a file of zeros, in turns with ours; the last ratio is to the same floor \
                while another thread fills the next file with zeros, as a log must that never uses a file twice. \
                Goal: 0.8 of the floor. Limits: up to 16 producers the disk; at 256 two cores, which wake and \
                answer each producer between two syncs, and with 1 KiB that every byte is written twice.",
        package: "switchboard-log",
        more: &["--example", "bench"],
        columns: &[
            ("case", "case"),
            ("producers", "producers"),
            ("bytes", "bytes"),
            ("appends_per_s", "appends/s"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
            ("zeroing_ratio", "ratio, zeroing"),
            ("p50_us", "p50 µs"),
            ("p99_us", "p99 µs"),
            ("records_per_s", "records/s"),
            ("mib_per_s", "MiB/s"),
        ],
    },
    Bench {
        name: "store",
        title: "SQLite store",
        about: "Units committed with `synchronous=FULL`: a mark, two events, one row. The floor is a bare \
                SQLite loop that writes the same rows with sequential keys. Goal: 0.7 of the floor. Limits: \
                SQLite itself, on one thread; with one writer, the way there and back between threads.",
        package: "switchboard-store-sqlite",
        more: &["--example", "bench"],
        columns: &[
            ("writers", "writers"),
            ("units_per_s", "units/s"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
        ],
    },
    Bench {
        name: "handler",
        title: "Handler path",
        about: "Publish → deliver → decide → commit → settle, 256 in flight, everything synced: the log \
                and the store. The floor is the bare SQLite loop alone. Goal: 0.6 of the floor. Limit: \
                two cores. The floor keeps one of them busy; broker, codec, handler and settling share the other. \
                Commits and bytes are syncs and written bytes of log and store together.",
        package: "switchboard",
        more: &["--example", "bench_handler"],
        columns: &[
            ("in_flight", "in flight"),
            ("messages_per_s", "messages/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
            ("commits_per_message", "commits/message"),
            ("bytes_per_message", "bytes/message"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
        ],
    },
    Bench {
        name: "saga",
        title: "Three-step saga",
        about: "Charge, reserve, ship over four stores and one log, everything synced in the path; `refused` \
                is refused at the third step and undone. The floor makes the same hops with bare SQLite and a \
                bare log. Goal: 0.6 of the floor. Limits: at 1 the disk, five syncs after another; at 64 two cores.",
        package: "switchboard",
        more: &["--example", "bench_saga"],
        columns: &[
            ("case", "case"),
            ("in_flight", "in flight"),
            ("sagas_per_s", "sagas/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
        ],
    },
    Bench {
        name: "shop",
        title: "The whole shop",
        about: "Orders through the public port, from POST to `completed`, in one process; each customer waits \
                for an order to end before the next. Limits: at 1 the disk, some twenty syncs after another; at 64 \
                two cores, with an order costing about 40 units of work in six services.",
        package: "shop-platform",
        more: &["--", "bench"],
        columns: &[
            ("customers", "customers"),
            ("orders_per_s", "orders/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
            ("start_ms", "start to ready ms"),
            ("idle_cpu_percent", "idle % of a core"),
            ("idle_memory_mb", "idle MB"),
        ],
    },
    Bench {
        name: "resilience",
        title: "Circuit breaker",
        about: "Nanoseconds a call, to a function or service that answers at once; two threads share one breaker. \
                The floor is one relaxed load and one atomic addition on one line of memory, in turns with each \
                row and on as many threads. Goals: closed 2 and 1 times the floor on one and two threads, with \
                slow calls, a time window or as a layer 3 and 1, an open rejection 0.3; nothing allocated. The \
                last row times each rejection alone, two questions for the time included: goal 2 µs at the \
                99.9th percentile. Peers are called as their own documents show, with their plainest policy. Limit: \
                what an atomic addition costs differs fivefold between processors, and the ratios with it.",
        package: "switchboard-resilience",
        more: &["--example", "bench"],
        columns: &[
            ("case", "case"),
            ("threads", "threads"),
            ("ns", "ns/call"),
            ("floor_ns", "floor ns"),
            ("ratio", "ratio"),
            ("goal", "goal"),
            ("holds", "holds"),
            ("allocations", "allocations/call"),
            ("p50_ns", "p50 ns"),
            ("p999_ns", "p99.9 ns"),
            ("max_us", "max µs"),
        ],
    },
    Bench {
        name: "edge",
        title: "The edge of a service",
        about: "One user read over and over, from the store in memory: the users service as it always runs, beside \
                bare axum and bare tonic with the same token verified, the same row read, the same body answered and \
                the same line written, in turns. One thread serves and one asks. Goal: 0.9 of the twin. CPU is that of \
                the serving thread, and what ours adds to it: the part that does not depend on who asks.",
        package: "shop-users",
        more: &["--example", "bench"],
        columns: &[
            ("case", "case"),
            ("connections", "connections"),
            ("ours_per_s", "ours/s"),
            ("raw_per_s", "raw/s"),
            ("ratio", "ratio"),
            ("p50_us", "p50 µs"),
            ("raw_p50_us", "raw p50 µs"),
            ("cpu_us", "CPU µs"),
            ("raw_cpu_us", "raw CPU µs"),
            ("added_us", "added µs"),
        ],
    },
];

/// What needs real engines, and what these are beside.
pub(super) const ENGINES: &[Bench] = &[
    Bench {
        name: "brokers",
        title: "Brokers beside each other",
        about: "Through the same seam: 4 calls of 500 records in flight, then all of it read by one member of \
                a group; latency of one record at a time. NATS JetStream and Redis streams by bare clients on \
                the same terms (2 000 in flight). What an ack promises differs, and is stated.",
        package: "switchboard",
        more: &["--features", "kafka,rabbit,postgres", "--example", "bench_brokers"],
        columns: &[
            ("broker", "broker"),
            ("ack", "an ack means"),
            ("bytes", "bytes"),
            ("published_per_s", "published/s"),
            ("consumed_per_s", "consumed/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
        ],
    },
    Bench {
        name: "kafka",
        title: "Kafka adapter",
        about: "Beside the same client library with the same settings and no adapter, in turns. Goal: 0.95. \
                `latency` is of one record at a time, its goal a p99 within the spread of the twin's own rounds.",
        package: "switchboard-message-kafka",
        more: &["--example", "bench"],
        columns: TWIN,
    },
    Bench {
        name: "rabbit",
        title: "RabbitMQ adapter",
        about: "Beside the same client library with the same settings and no adapter, in turns: quorum queue, \
                persistent, confirms. Goal: 0.95. `latency` is of one message at a time, its goal a p99 within the \
                spread of the twin's own rounds. PerfTest is RabbitMQ's own bench (Java) with the same \
                queue, window, prefetch, properties and headers, run after ours: the best of its five seconds, \
                median of three runs. The raw consumer acknowledges each message by itself, ours many at once.",
        package: "switchboard-message-rabbit",
        more: &["--example", "rabbit-bench"],
        columns: TWIN,
    },
    Bench {
        name: "postgres",
        title: "PostgreSQL store",
        about: "Units of a mark, two events and a row, `synchronous_commit=on`. The floor is one connection that \
                sends the same rows as arrays, as many per transaction as there are writers, under the \
                advisory lock; goal: 0.6. For the server floor the server makes the rows by itself, so \
                that the client's work is left out; inserts are one row per transaction from at most eight connections. \
                Limit: two cores, which server and client share.",
        package: "switchboard-store-postgres",
        more: &["--example", "bench"],
        columns: &[
            ("writers", "writers"),
            ("stores", "processes"),
            ("units_per_s", "units/s"),
            ("floor_per_s", "floor/s"),
            ("ratio", "ratio"),
            ("server_floor_per_s", "server floor/s"),
            ("inserts_per_s", "inserts/s"),
            ("commits_per_unit", "commits/unit"),
            ("wal_bytes_per_unit", "WAL bytes/unit"),
            ("dead_tuples", "dead tuples"),
        ],
    },
    Bench {
        name: "relay",
        title: "Relay, from PostgreSQL to Kafka",
        about: "`drain`: 200 000 rows wait when the relay starts. `steady`: 5 000 rows/s; the delay runs from \
                the answer of the commit to the ack of the broker. Goals: 20 000 rows/s; p99 below 100 ms.",
        package: "switchboard",
        more: &["--features", "kafka,rabbit,postgres", "--example", "bench_relay"],
        columns: &[
            ("case", "case"),
            ("rows", "rows"),
            ("rows_per_s", "rows/s"),
            ("p50_ms", "p50 ms"),
            ("p99_ms", "p99 ms"),
        ],
    },
];

/// An adapter beside its raw twin.
const TWIN: &[(&str, &str)] = &[
    ("case", "case"),
    ("bytes", "bytes"),
    ("ours_per_s", "ours/s"),
    ("raw_per_s", "raw/s"),
    ("ratio", "ratio"),
    ("perf_test_per_s", "PerfTest/s"),
    ("p50_ms", "p50 ms"),
    ("raw_p50_ms", "raw p50 ms"),
    ("p99_ms", "p99 ms"),
    ("raw_p99_ms", "raw p99 ms"),
    ("raw_spread", "raw p99 spread"),
];
