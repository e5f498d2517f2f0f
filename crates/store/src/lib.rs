//! One store, one commit: everything that a handler wants to make true goes into one [`Unit`] and is committed at once.
//!
//! ```
//! use switchboard_store::{Column, Expect, Select, Table, Unit, Value};
//!
//! static BALANCES: Table = Table { name: "balances", columns: &[Column::integer("amount")], indexes: &[] };
//!
//! let unit = Unit::new()
//!     .expect(Expect::row_absent(&BALANCES, "alice"))
//!     .put(&BALANCES, "alice", [("amount", Value::from(500))]);
//! assert_eq!(unit.rows.len(), 1);
//! let all = Select::all(&BALANCES).limit(10);
//! # let _ = all;
//! ```
//!
//! # The parts
//!
//! - [`unit`](mod@unit) what is committed together
//! - [`store`] the contract, in small traits: journal, rows, inbox, outbox, timers
//! - [`table`] read models declared once for every backend, and queries as data
//! - [`gate`] keys that are blocked behind a failed message
//! - [`marks`] which messages were handled, in bounded space and without a time limit
//! - [`leases`] which of several processes does what only one should do
//! - [`error`] what a commit can answer
//! - [`memory`] the complete twin
//! - for backends: [`limits`] checks that need no state, [`judge`] what a unit comes to,
//!   [`seal`] envelopes, [`query`] what filters mean, [`sql`] the same as text, [`codec`] stored forms

pub mod codec;
pub mod error;
pub mod gate;
pub mod judge;
pub mod leases;
pub mod limits;
pub mod marks;
pub mod memory;
pub mod query;
pub mod seal;
pub mod sql;
pub mod store;
pub mod table;
pub mod unit;

pub use error::{CommitError, StoreError};
pub use gate::{Failure, Gate, GateOp, Waiting};
pub use leases::{Lease, Sharing};
pub use marks::Marks;
pub use memory::MemoryStore;
pub use store::{
    Checkpoint, Committed, Inbox, Journal, Outbox, Outgoing, Rows, Sequence, Store, StoreIdentity,
    StoredEvent, Timer, Timers,
};
pub use table::{Column, ColumnType, Compare, Filter, Row, RowOp, Select, Table, Value};
pub use unit::{
    Custody, Expect, Handled, Mark, NewEvent, NewMessage, Progress, Reading, TimerOp, Unit,
};
