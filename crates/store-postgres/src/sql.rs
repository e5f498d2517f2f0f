//! The text of every fixed statement, with the schema written into it.
//!
//! Names are qualified, so that nothing depends on a session's `search_path`: a proxy that pools
//! transactions gives each of them another session. Whatever a unit holds goes in as arrays, so
//! that a batch of any size is one statement with one plan.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// How the schema is written, quoted and with its dot.
#[derive(Clone, Debug)]
pub(crate) struct Schema(String);

/// Statements of the writer.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) schema: Schema,
    pub(crate) begin: SqlStr,
    pub(crate) gather: SqlStr,
    pub(crate) lane: SqlStr,
    pub(crate) new_lane: SqlStr,
    pub(crate) marks: SqlStr,
    pub(crate) insert_marks: SqlStr,
    pub(crate) update_marks: SqlStr,
    pub(crate) foreign: SqlStr,
    pub(crate) set_timers: SqlStr,
    pub(crate) delete_timers: SqlStr,
    pub(crate) set_gates: SqlStr,
    pub(crate) delete_gates: SqlStr,
    pub(crate) join: SqlStr,
    pub(crate) leave: SqlStr,
    pub(crate) failures: SqlStr,
    pub(crate) staged: SqlStr,
    pub(crate) unstage: SqlStr,
    pub(crate) batch: SqlStr,
    /// By the parts that they hold.
    appends: Vec<SqlStr>,
}

/// What an append may hold beside the store's own counters; combined as bits.
pub(crate) mod parts {
    pub(crate) const EVENTS: usize = 1;
    pub(crate) const TAGS: usize = 2;
    pub(crate) const MESSAGES: usize = 4;
    pub(crate) const PROGRESS: usize = 8;
    pub(crate) const CHECKPOINTS: usize = 16;
    pub(crate) const READINGS: usize = 32;
    pub(crate) const ALL: usize = 63;
}

/// Settings of the writer's transactions. Tables grow faster than statistics: a plan that was made
/// for an empty table must still be the right one for a full one, so scans and joins that read
/// everything are ruled out. A process that stands still while it holds the lock is cut off.
const SETTINGS: &str = "plan_cache_mode = force_generic_plan; enable_seqscan = off; \
    enable_hashjoin = off; enable_mergejoin = off; jit = off; \
    idle_in_transaction_session_timeout = 30000";

/// Whatever the server's default is: each statement sees what was committed before it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// Everything that units ask of the state, in one statement and therefore one snapshot.
const GATHER: &str = "
SELECT 0 AS what, m.incarnation AS n, m.position AS a, m.reschedules AS b, NULL::int8 AS c,
    NULL::bytea AS bytes FROM @sb_meta m
UNION ALL SELECT 1, u.n, s.last, NULL, NULL, NULL
    FROM unnest($1::text[], $2::int2[]) WITH ORDINALITY AS u (topic, slot, n)
    JOIN @sb_sequences s ON s.topic = u.topic AND s.slot = u.slot
UNION ALL SELECT 2, u.n, e.version, NULL, NULL, NULL
    FROM unnest($3::text[]) WITH ORDINALITY AS u (stream, n)
    CROSS JOIN LATERAL (SELECT version FROM @sb_events e WHERE e.stream = u.stream
        ORDER BY e.version DESC LIMIT 1) e
UNION ALL SELECT 3, u.n, g.depth, g.due, g.since, NULL
    FROM unnest($4::text[], $5::bytea[]) WITH ORDINALITY AS u (grp, key, n)
    JOIN @sb_gates g ON g.grp = u.grp AND g.key = u.key
UNION ALL SELECT 4, u.n, w.entry, NULL, NULL, w.failures
    FROM unnest($6::text[], $7::bytea[], $8::int8[]) WITH ORDINALITY AS u (grp, key, most, n)
    CROSS JOIN LATERAL (SELECT entry, failures FROM @sb_waiting w
        WHERE w.grp = u.grp AND w.key = u.key ORDER BY entry LIMIT u.most) w
UNION ALL SELECT 5, u.n, t.due, NULL, NULL, t.message
    FROM unnest($9::text[]) WITH ORDINALITY AS u (id, n) JOIN @sb_timers t ON t.id = u.id
UNION ALL SELECT 6, u.n, r.position, NULL, NULL, NULL
    FROM unnest($10::text[]) WITH ORDINALITY AS u (name, n) JOIN @sb_readings r ON r.name = u.name
UNION ALL SELECT 7, u.n, f.until, NULL, NULL, NULL
    FROM unnest($11::text[], $12::text[]) WITH ORDINALITY AS u (grp, id, n)
    JOIN @sb_foreign f ON f.grp = u.grp AND f.id = u.id
UNION ALL SELECT 8, u.n, NULL, NULL, NULL, m.marks
    FROM unnest($13::int8[], $14::int2[]) WITH ORDINALITY AS u (lane, slot, n)
    JOIN @sb_marks m ON m.lane = u.lane AND m.slot = u.slot";

// === impl Schema ===

impl Schema {
    pub(crate) fn new(name: &str) -> Self {
        Self(format!("{}.", quoted(name)))
    }

    /// A statement in which `@` stands before each name of the schema.
    pub(crate) fn sql(&self, text: &str) -> SqlStr {
        AssertSqlSafe(std::sync::Arc::<str>::from(text.replace('@', &self.0))).into_sql_str()
    }

    /// The quoted schema with its dot.
    pub(crate) fn prefix(&self) -> &str {
        &self.0
    }
}

// === impl Sql ===

impl Sql {
    pub(crate) fn new(name: &str, lock_wait_ms: u128, pooler: bool) -> Self {
        let schema = Schema::new(name);
        let sql = |text: &str| schema.sql(text);
        // Through a proxy each transaction may be another session, and leaves nothing in it.
        let begin = if pooler {
            let local = format!("SET LOCAL {}; ", SETTINGS.replace("; ", "; SET LOCAL "));
            format!("{BEGIN}; SET LOCAL lock_timeout = {lock_wait_ms}; {local}")
        } else {
            BEGIN.to_owned()
        };
        Self {
            begin: sql(&begin),
            gather: sql(GATHER),
            lane: sql("SELECT id FROM @sb_lanes \
                 WHERE grp = $1 AND source = $2 AND incarnation = $3 AND topic = $4"),
            new_lane: sql("INSERT INTO @sb_lanes (grp, source, incarnation, topic) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"),
            marks: sql("SELECT m.lane, m.slot, m.marks \
                 FROM unnest($1::int8[], $2::int2[]) AS u (lane, slot) \
                 JOIN @sb_marks m ON m.lane = u.lane AND m.slot = u.slot"),
            insert_marks: sql("INSERT INTO @sb_marks (lane, slot, marks) \
                 SELECT * FROM unnest($1::int8[], $2::int2[], $3::bytea[]) \
                 ON CONFLICT DO NOTHING"),
            update_marks: sql("UPDATE @sb_marks m SET marks = u.new \
                 FROM unnest($1::int8[], $2::int2[], $3::bytea[], $4::bytea[]) \
                     AS u (lane, slot, old, new) \
                 WHERE m.lane = u.lane AND m.slot = u.slot AND m.marks = u.old"),
            foreign: sql("INSERT INTO @sb_foreign AS f (grp, id, until) \
                 SELECT * FROM unnest($1::text[], $2::text[], $3::int8[]) \
                 ON CONFLICT (grp, id) DO UPDATE SET until = excluded.until WHERE f.until <= $4"),
            set_timers: sql("INSERT INTO @sb_timers (id, due, message) \
                 SELECT * FROM unnest($1::text[], $2::int8[], $3::bytea[]) \
                 ON CONFLICT (id) DO UPDATE \
                 SET due = excluded.due, message = excluded.message"),
            delete_timers: sql("DELETE FROM @sb_timers WHERE id = ANY($1::text[])"),
            set_gates: sql("INSERT INTO @sb_gates (grp, key, due, since, depth) SELECT * FROM \
                 unnest($1::text[], $2::bytea[], $3::int8[], $4::int8[], $5::int8[]) \
                 ON CONFLICT (grp, key) DO UPDATE SET due = excluded.due, \
                 since = excluded.since, depth = excluded.depth"),
            delete_gates: sql("DELETE FROM @sb_gates g \
                 USING unnest($1::text[], $2::bytea[]) AS u (grp, key) \
                 WHERE g.grp = u.grp AND g.key = u.key"),
            join: sql("INSERT INTO @sb_waiting (since, grp, key, failures, bytes) \
                 SELECT $1, u.grp, u.key, u.failures, u.bytes \
                 FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bytea[]) \
                     WITH ORDINALITY AS u (grp, key, failures, bytes, n) ORDER BY u.n"),
            leave: sql("DELETE FROM @sb_waiting WHERE entry = ANY($1::int8[])"),
            failures: sql("UPDATE @sb_waiting w SET failures = u.failures \
                 FROM unnest($1::int8[], $2::bytea[]) AS u (entry, failures) \
                 WHERE w.entry = u.entry"),
            staged: sql("SELECT id, message_id, time, message FROM @sb_staged \
                 ORDER BY id LIMIT $1"),
            unstage: sql("DELETE FROM @sb_staged WHERE id = ANY($1::int8[])"),
            batch: sql("SELECT batch FROM @sb_writers WHERE id = $1"),
            appends: (0..=parts::ALL).map(|mask| sql(&append(mask))).collect(),
            schema,
        }
    }

    /// The session's settings, where sessions are the store's own.
    pub(crate) fn session(lock_wait_ms: u128) -> String {
        format!("SET lock_timeout = {lock_wait_ms}; SET {}", SETTINGS.replace("; ", "; SET "))
    }

    /// The statement that appends these parts and moves the store's counters.
    pub(crate) fn append(&self, mask: usize) -> SqlStr {
        self.appends[mask & parts::ALL].clone()
    }
}

fn append(mask: usize) -> String {
    // The first four are the writer, its batch, the position and the count of reschedules.
    let mut number = 4;
    let mut list = |types: &[&str]| {
        let each = types.iter().map(|kind| {
            number += 1;
            format!("${number}::{kind}")
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let mut text = String::from(
        "WITH w AS (INSERT INTO @sb_writers AS w (id, batch, at) VALUES ($1, $2, now()) \
             ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at)",
    );
    let mut part = |bit: usize, name: &str, head: &str, types: &[&str], tail: &str| {
        if mask & bit != 0 {
            let values = list(types);
            text.push_str(&format!(
                ", {name} AS (INSERT INTO {head} SELECT * FROM unnest({values}) {tail})"
            ));
        }
    };
    part(
        parts::EVENTS,
        "e",
        "@sb_events (position, version, time, schema, stream, kind, head, data)",
        &["int8[]", "int8[]", "int8[]", "int4[]", "text[]", "text[]", "bytea[]", "bytea[]"],
        "",
    );
    part(parts::TAGS, "t", "@sb_tags (tag, position)", &["text[]", "int8[]"], "");
    part(
        parts::MESSAGES,
        "m",
        "@sb_messages (position, slot, envelope)",
        &["int8[]", "int2[]", "bytea[]"],
        "",
    );
    part(
        parts::MESSAGES,
        "s",
        "@sb_sequences (topic, slot, last)",
        &["text[]", "int2[]", "int8[]"],
        "ON CONFLICT (topic, slot) DO UPDATE SET last = excluded.last",
    );
    part(
        parts::PROGRESS,
        "p",
        "@sb_progress AS p (grp, topic, partition, epoch, position)",
        &["text[]", "text[]", "int8[]", "int8[]", "int8[]"],
        "ON CONFLICT (grp, topic, partition) DO UPDATE \
             SET epoch = excluded.epoch, position = excluded.position \
             WHERE (p.epoch, p.position) < (excluded.epoch, excluded.position)",
    );
    part(
        parts::CHECKPOINTS,
        "c",
        "@sb_checkpoints AS c (slot, position)",
        &["int2[]", "int8[]"],
        "ON CONFLICT (slot) DO UPDATE SET position = excluded.position \
             WHERE c.position < excluded.position",
    );
    part(
        parts::READINGS,
        "r",
        "@sb_readings (name, position)",
        &["text[]", "int8[]"],
        "ON CONFLICT (name) DO UPDATE SET position = excluded.position",
    );
    text.push_str(
        " UPDATE @sb_meta SET position = $3, commits = commits + 1, \
             reschedules = reschedules + $4",
    );
    text
}

/// A name as SQL quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
