//! Statements that nearly every unit needs, prepared once.

use rusqlite::{Connection, Result, Statement};

#[derive(Debug)]
pub(super) struct Statements<'c> {
    pub(super) begin: Statement<'c>,
    pub(super) commit: Statement<'c>,
    /// Appends an event.
    pub(super) append: Statement<'c>,
    /// Appends a message.
    pub(super) send: Statement<'c>,
    /// The newest version of a stream.
    pub(super) version: Statement<'c>,
    /// Writes the marks of a slot.
    pub(super) mark: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            append: prepare("INSERT INTO sb_events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?,
            send: prepare("INSERT INTO sb_messages VALUES (?1, ?2, ?3)")?,
            version: prepare("SELECT max(version) FROM sb_events WHERE stream = ?1")?,
            // A table without other indexes: replacing is one write, cheaper than an upsert.
            mark: prepare("INSERT OR REPLACE INTO sb_marks VALUES (?1, ?2)")?,
        })
    }
}
