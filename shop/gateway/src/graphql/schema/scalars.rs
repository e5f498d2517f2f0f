//! Values that GraphQL has no name for: whole numbers beyond 32 bits, and moments.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use prost_types::Timestamp as Wire;
use shop_contracts::rpc::{common, from_timestamp};
use switchboard_core::Timestamp;

/// A whole number of 64 bits, as a number of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Long(pub(super) i64);

/// A moment: RFC 3339 in UTC, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime(pub(super) Timestamp);

/// An amount of money.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct Money {
    /// In the smallest unit of the currency: cents.
    pub(super) amount: Long,
    /// Three capital letters (ISO 4217).
    pub(super) currency: String,
}

/// A whole number of 64 bits, as a number of JSON.
#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number.as_i64().map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// A moment: RFC 3339 in UTC, to the microsecond.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().ok().map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0.to_string())
    }
}

impl DateTime {
    /// A moment off the wire. One that is missing is the beginning of all time: every message has
    /// its moments, and an old server that leaves one out does not make the rest unreadable.
    pub(super) fn of(wire: Option<&Wire>) -> Self {
        Self(wire.and_then(from_timestamp).unwrap_or_default())
    }
}

impl From<Option<common::Money>> for Money {
    fn from(money: Option<common::Money>) -> Self {
        let money = money.unwrap_or_default();
        Self { amount: Long(money.amount), currency: money.currency }
    }
}
