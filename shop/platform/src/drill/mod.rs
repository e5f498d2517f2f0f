//! Drills: what repeated calls do to a dependency that fails, and whether a system recovers once the reason is gone.
//!
//! Nothing of the shop is touched: the dependency is a model in this process, the layers around it are the toolkit's own, and time is real.
//! The second drill is a metastable failure (N. Bronson and others, "Metastable Failures in Distributed Systems", HotOS 2021): a short
//! trigger builds up work that nobody waits for any more, and retries keep it alive after the trigger is gone.
//!
//! - [`amplify`](mod@amplify) three layers that each try three times
//! - [`overload`] a service at 70 % load, a trigger of a few seconds, and what comes after it

pub mod amplify;
pub mod overload;

pub use amplify::{Amplified, amplify};
pub use overload::{Phase, Second, Storm, storm};
