//! Which methods there are, read off the descriptions: what streams may live longer, and what is counted has a bounded name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, counter};
use prost::{DecodeError, Message};
use prost_types::FileDescriptorSet;
use tonic::Code;

use super::access::Line;
use super::deadline::{LONGEST_CALL, LONGEST_STREAM};
use crate::metrics::{RPC_CALLS, RPC_MICROS};

/// The codes that there are.
const CODES: usize = 17;

/// Methods by their path, `/shop.orders.v1.OrderService/GetOrder`.
#[derive(Debug)]
pub(super) struct Methods {
    known: HashMap<String, Arc<Method>>,
    unknown: Arc<Method>,
}

/// What is known of one method, and what is counted of it.
pub(super) struct Method {
    name: String,
    /// How long a call may take.
    pub(super) longest: Duration,
    /// Whether its answers are a stream.
    pub(super) streams: bool,
    codes: [Counter; CODES],
    micros: Counter,
}

/// One call, which is counted once: with its code, or as cancelled when nobody waits for it.
#[derive(Debug)]
pub(super) struct Counting {
    method: Arc<Method>,
    begun: Instant,
    is_counted: bool,
    line: Option<Box<Line>>,
}

// === impl Methods ===

impl Methods {
    pub(super) fn of(descriptors: &[&[u8]]) -> Result<Self, DecodeError> {
        let mut known = HashMap::new();
        for encoded in descriptors {
            for file in FileDescriptorSet::decode(*encoded)?.file {
                let package = file.package().to_owned();
                for service in file.service {
                    for method in &service.method {
                        let streams = method.server_streaming();
                        let is_long = streams || method.client_streaming();
                        let name = format!("{package}.{}/{}", service.name(), method.name());
                        let longest = if is_long { LONGEST_STREAM } else { LONGEST_CALL };
                        let method = Arc::new(Method::new(&name, longest, streams));
                        known.insert(format!("/{name}"), method);
                    }
                }
            }
        }
        Ok(Self { known, unknown: Arc::new(Method::new("-", LONGEST_CALL, false)) })
    }

    /// The method at a path; a stand-in for one that is not known.
    pub(super) fn at(&self, path: &str) -> &Arc<Method> {
        self.known.get(path).unwrap_or(&self.unknown)
    }
}

// === impl Method ===

impl Method {
    fn new(name: &str, longest: Duration, streams: bool) -> Self {
        let labelled = |code: Code| {
            let code = super::status::word_of(code);
            counter!(RPC_CALLS, "method" => name.to_owned(), "code" => code)
        };
        let codes = std::array::from_fn(|code| {
            labelled(Code::from_i32(i32::try_from(code).unwrap_or_default()))
        });
        let micros = counter!(RPC_MICROS, "method" => name.to_owned());
        Self { name: name.to_owned(), longest, streams, codes, micros }
    }
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Method").field("longest", &self.longest).finish_non_exhaustive()
    }
}

// === impl Counting ===

impl Counting {
    pub(super) fn new(method: Arc<Method>) -> Self {
        Self { method, begun: Instant::now(), is_counted: false, line: None }
    }

    /// The same, with this line for the access log.
    pub(super) fn with_line(mut self, line: Option<Box<Line>>) -> Self {
        self.line = line;
        self
    }

    /// Notes who has called.
    pub(super) fn made_by(&mut self, principal: Option<String>) {
        if let Some(line) = &mut self.line {
            line.principal = principal;
        }
    }

    pub(super) fn ended(&mut self, code: Code) {
        if std::mem::replace(&mut self.is_counted, true) {
            return;
        }
        let index = usize::try_from(i32::from(code)).unwrap_or_default();
        self.method.codes[index.min(CODES - 1)].increment(1);
        let took = self.begun.elapsed();
        self.method.micros.increment(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Some(line) = &self.line {
            line.write(&self.method.name, code, took);
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.ended(Code::Cancelled);
    }
}
