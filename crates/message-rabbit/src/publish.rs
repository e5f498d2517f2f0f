//! One task that publishes everything, in order, with a window of unconfirmed messages.
//!
//! A message stays with the task until the server has confirmed it. When the channel is lost, all
//! that is unconfirmed goes out again on the next one, before anything newer and in the old order,
//! under the same message ids: consumers recognise what they have had. A connection that stays
//! away is answered after a while, and then everything that waits is answered, so that no later
//! message of a key overtakes an earlier one that its publisher will repeat.

mod careful;
mod window;

use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::ShortString;
use switchboard_core::{BoxError, Envelope, Name};
use switchboard_message::PublishError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker::PATIENCE;
use crate::link::Link;
use crate::queues::Layouts;
use crate::topics::Topics;
use crate::{Options, names};
use window::Window;

/// Batches that wait for the task.
const BATCHES: usize = 64;
/// The wait before another channel is asked for on a connection that stands.
const AGAIN: Duration = Duration::from_millis(100);
/// Without any confirm for so long, what is under way is sent again on another channel.
const STALL: Duration = Duration::from_secs(10);

/// Hands batches to the task.
#[derive(Clone, Debug)]
pub(crate) struct Publisher(mpsc::Sender<Batch>);

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) exchange: ShortString,
    pub(crate) key: ShortString,
    pub(crate) envelope: Envelope,
    /// The envelope's properties, until it is sent; made anew when it is sent again.
    pub(crate) properties: Option<BasicProperties>,
    /// Whether later messages of the same exchange and key must not overtake it.
    pub(crate) ordered: bool,
    /// Whether the exchange is a topic's.
    pub(crate) is_topic: bool,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Taken {
    /// At least one queue has it.
    Routed,
    /// No queue wanted it.
    Returned,
}

pub(crate) type Answer = Result<Taken, PublishError>;

struct Batch {
    messages: Vec<Outgoing>,
    reply: oneshot::Sender<Vec<Answer>>,
}

// === impl Publisher ===

impl Publisher {
    pub(crate) fn spawn(
        link: Link,
        topics: Arc<Topics>,
        layouts: Arc<Layouts>,
        options: &Options,
        stop: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let window = Window::new(options.confirm_window);
        let patience = options.publish_patience;
        let batches = receiver;
        let rebuilt = None;
        let task = Task { link, topics, layouts, patience, window, batches, stop, rebuilt };
        (Self(sender), tokio::spawn(task.run()))
    }

    /// Publishes in order; answers in the same order.
    pub(crate) async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Answer> {
        if messages.is_empty() {
            return Vec::new();
        }
        let count = messages.len();
        let (reply, answers) = oneshot::channel();
        if self.0.send(Batch { messages, reply }).await.is_ok()
            && let Ok(answers) = answers.await
        {
            return answers;
        }
        (0..count).map(|_| Err(away("the broker is closed"))).collect()
    }
}

/// The task.
struct Task {
    link: Link,
    topics: Arc<Topics>,
    layouts: Arc<Layouts>,
    patience: Duration,
    window: Window,
    batches: mpsc::Receiver<Batch>,
    stop: CancellationToken,
    /// When a missing exchange was answered by declaring everything again.
    rebuilt: Option<Instant>,
}

/// How a channel's life ended.
enum Lost {
    /// The broker is being closed, or nobody can publish any more.
    Over,
    /// The connection or the channel failed.
    Channel(lapin::Error),
}

// === impl Task ===

impl Task {
    async fn run(mut self) {
        // The first message opens the first channel.
        while self.window.is_empty() {
            let Some(batch) = self.receive().await else { return };
            self.admit(batch);
        }
        loop {
            let Some(channel) = self.open().await else { break };
            match self.publish_on(Arc::new(channel)).await {
                Lost::Over => break,
                Lost::Channel(error) => {
                    self.link.doubt();
                    tracing::warn!(%error, unconfirmed = self.window.unconfirmed(), "publishing goes on anew");
                    self.settle_lost(&error);
                    self.window.take_back();
                }
            }
        }
        self.window.fail_all(|| away("the broker is closed"));
    }

    async fn receive(&mut self) -> Option<Batch> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            batch = self.batches.recv() => batch,
        }
    }

    fn admit(&mut self, Batch { messages, reply }: Batch) {
        self.window.admit(messages, reply, Instant::now() + self.patience);
    }

    /// A channel with confirms, on a server that has all that was declared. Meanwhile, what waits
    /// too long is answered.
    async fn open(&mut self) -> Option<lapin::Channel> {
        let (link, topics) = (self.link.clone(), Arc::clone(&self.topics));
        let layouts = Arc::clone(&self.layouts);
        let opening = async move {
            loop {
                match open(&link, &topics, &layouts).await {
                    Ok(channel) => return channel,
                    Err(error) => {
                        tracing::debug!(error = switchboard_core::chain(&*error), "no channel yet");
                        link.doubt();
                        link.pause(AGAIN).await;
                    }
                }
            }
        };
        tokio::pin!(opening);
        loop {
            let overdue = self.window.deadline();
            let wants_more = self.window.has_room();
            tokio::select! {
                () = self.stop.cancelled() => return None,
                channel = &mut opening => return Some(channel),
                () = sleep_until(overdue), if overdue.is_some() => {
                    self.window.fail_all(|| away("the server did not come back in time"));
                }
                batch = self.batches.recv(), if wants_more => match batch {
                    Some(batch) => self.admit(batch),
                    None => return None,
                },
            }
        }
    }

    async fn publish_on(&mut self, channel: Arc<lapin::Channel>) -> Lost {
        let mut is_open = true;
        let mut stalled = Instant::now() + STALL;
        loop {
            if self.window.unconfirmed() == 0 {
                stalled = Instant::now() + STALL;
            }
            self.window.fill(&channel);
            if !is_open && self.window.is_empty() {
                return Lost::Over;
            }
            let overdue = self.window.deadline();
            let wants_more = is_open && self.window.has_room();
            let waits = self.window.unconfirmed() > 0;
            tokio::select! {
                biased;
                Some(confirmed) = self.window.confirmed() => {
                    if let Err(error) = self.window.settle(&channel, confirmed) {
                        return Lost::Channel(error);
                    }
                    stalled = Instant::now() + STALL;
                }
                batch = self.batches.recv(), if wants_more => match batch {
                    Some(batch) => self.admit(batch),
                    None => is_open = false,
                },
                () = self.stop.cancelled(), if is_open => {
                    // What was handed over is still published; nothing more is taken.
                    self.batches.close();
                    while let Ok(batch) = self.batches.try_recv() {
                        self.admit(batch);
                    }
                    is_open = false;
                }
                () = sleep_until(overdue), if overdue.is_some() => {
                    // Confirms that come after this belong to nobody: begin with a new channel.
                    self.window.fail_all(|| away("the server did not confirm in time"));
                    return abandon(&channel).await;
                }
                () = tokio::time::sleep_until(stalled), if waits => {
                    // A queue that changes its leader may forget whom to confirm to.
                    if !self.link.is_blocked() {
                        tracing::warn!(unconfirmed = self.window.unconfirmed(), "no confirms come");
                        return abandon(&channel).await;
                    }
                    stalled = Instant::now() + STALL;
                }
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    tokio::time::sleep_until(at.unwrap_or_else(Instant::now)).await;
}

async fn open(link: &Link, topics: &Topics, layouts: &Layouts) -> Result<lapin::Channel, BoxError> {
    let channel = link.channel().await?;
    let preparing = async {
        topics.rebuild(&channel).await?;
        layouts.rebuild(&channel).await?;
        let options = lapin::options::ConfirmSelectOptions::default();
        channel.confirm_select(options).await.map_err(BoxError::from)
    };
    tokio::time::timeout(PATIENCE, preparing).await??;
    Ok(channel)
}

/// Lets go of a channel whose answers nobody wants any more.
async fn abandon(channel: &lapin::Channel) -> Lost {
    let goodbye = channel.close(200, names::short("abandoned"));
    let _late_or_gone = tokio::time::timeout(AGAIN, goodbye).await;
    Lost::Channel(lapin::ErrorKind::MissingHeartbeatError.into())
}

/// Try again later.
pub(crate) fn away(text: &'static str) -> PublishError {
    PublishError::Unavailable(text.into())
}

pub(crate) fn unknown_exchange(name: &str, is_topic: bool) -> PublishError {
    let name = Name::from(name);
    if is_topic { PublishError::UnknownTopic(name) } else { PublishError::UnknownExchange(name) }
}
