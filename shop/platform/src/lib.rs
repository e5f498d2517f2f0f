//! The shop as one program: every service in one process, the command line, the demo and the console.
//!
//! ```no_run
//! use shop_platform::folder::Folder;
//! use shop_platform::platform::{Options, Platform};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut platform = Platform::start(Options::new(Folder::ephemeral()?)).await?;
//! platform.ready().await?;
//! println!("the shop is at {}", platform.url());
//! platform.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! - [`topology`] the deployment on one page
//! - [`platform`] the whole shop, started, watched and drained together
//! - [`serve`] one service, or the gateway, in a process of its own
//! - [`backends`] the engines that everything runs on
//! - [`backup`] backups of a running shop, and putting one back
//! - [`folder`] the data folder: private, held by one process
//! - [`upstream`] where services in processes of their own listen
//! - [`settings`] flags, environment, file, defaults, and which of them won
//! - [`cli`] the command line, and [`commands`] what it does
//! - [`collections`] the interface for Postman and Insomnia
//! - [`console`] the pages for operators
//! - [`openapi`] the document of the interface, and the page that shows it
//! - [`mail`] the mail server that letters leave the shop by
//! - [`compare`] protocols side by side, measured; [`drill`] what retries do to a dependency that fails
//! - [`load`] customers that use the shop as anybody would

pub mod backends;
pub mod backup;
pub mod cli;
pub mod collections;
pub mod commands;
pub mod compare;
pub mod console;
pub mod drill;
pub mod edge;
pub mod folder;
pub mod load;
pub mod mail;
pub mod openapi;
pub mod platform;
pub mod serve;
pub mod settings;
pub mod topology;
pub mod upstream;

mod guard;
mod keep;
mod operator;
mod resilience;
