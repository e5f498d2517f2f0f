//! What the shop is filled with before anything is measured, over its public REST interface and nothing else.
//!
//! Every client reads as a user of its own, so that no limit that the shop puts on one caller is measured by accident.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use switchboard_core::{BoxError, Rng};

use crate::load::client::Call;
use crate::load::sums::products;
use crate::load::{Client, Customer, Wish};

/// Calls that fill at the same time.
const AT_ONCE: usize = 16;
/// How long names may take to reach the service that shows them.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether they are there.
const LOOK: Duration = Duration::from_millis(20);
/// What each reader pays in: enough for any number of orders.
const DEPOSIT: i64 = 900_000_000_000;
/// What a page of a list holds, at most.
pub(super) const PAGE: usize = 100;

/// How much there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Posts of each reader, up to one page. Default 20.
    pub posts: usize,
    /// Comments on each of them, by as many others, up to one page. Default 5.
    pub comments: usize,
    /// Posts of the long list. Default 1 000.
    pub list: usize,
}

/// A user by whom one client reads, and what it must find.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) customer: Customer,
    pub(super) email: String,
    /// Newest first.
    pub(super) posts: Vec<Written>,
    pub(super) list: Rc<List>,
    wish: Wish,
}

/// A post that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: String,
    pub(super) title: String,
    /// Oldest first.
    pub(super) comments: Vec<Remark>,
}

/// A comment that was written.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) id: String,
    pub(super) content: String,
    /// The name of who wrote it.
    pub(super) author: String,
}

/// The long list.
#[derive(Debug)]
pub(super) struct List {
    /// Whose posts these are.
    pub(super) author: String,
    /// Newest first.
    pub(super) ids: Vec<String>,
}

/// Fills the shop for so many readers.
///
/// # Errors
/// When the shop refuses something, or does not show what was written.
pub(super) async fn fill(url: &str, clients: usize, sizes: Sizes) -> Result<Vec<Reader>, BoxError> {
    let client = Client::new(url);
    let run = format!("{:010x}", Rng::from_entropy().u64() >> 24);
    let guests = (0..sizes.comments).map(|number| {
        let (name, email) =
            (format!("Guest {number}"), format!("guest-{run}-{number}@example.com"));
        let client = &client;
        async move { Customer::join(client, &name, &email).await }
    });
    let guests = try_join_all(guests).await?;
    let list = Rc::new(long_list(&client, &run, sizes.list).await?);
    let goods = products(&client).await?;
    let product = goods.first().ok_or("the shop sells nothing")?;
    let readers = (0..clients).map(|number| {
        let (client, guests, list, run) = (&client, &guests, list.clone(), &run);
        let wish = Wish {
            fate: crate::load::Fate::Well,
            sku: goods.get(number % goods.len()).unwrap_or(product).sku.clone(),
            quantity: 1,
            country: "DE",
        };
        async move {
            let email = format!("reader-{run}-{number}@example.com");
            let customer = Customer::join(client, &format!("Reader {number}"), &email).await?;
            customer.deposit(DEPOSIT, &format!("{run}-{number}")).await?;
            let posts = write(client, &customer, guests, sizes).await?;
            Ok::<_, BoxError>(Reader { customer, email, posts, list, wish })
        }
    });
    let readers = try_join_all(readers).await?;
    for reader in &readers {
        reader.until_names_are_known(&client).await?;
    }
    Ok(readers)
}

/// The posts of one reader, one after another so that their order is known, with their comments.
async fn write(
    client: &Client,
    customer: &Customer,
    guests: &[Customer],
    sizes: Sizes,
) -> Result<Vec<Written>, BoxError> {
    let mut posts = Vec::with_capacity(sizes.posts);
    for number in 0..sizes.posts {
        let title = format!("What {} wrote, part {number}", customer.name);
        let id = publish(client, customer, &title).await?;
        posts.push(Written { id, title, comments: Vec::new() });
    }
    posts.reverse();
    stream::iter(&mut posts)
        .map(Ok::<_, BoxError>)
        .try_for_each_concurrent(AT_ONCE, |post| async move {
            for guest in guests {
                let content = format!("{} has read {}. {}", guest.name, post.title, text(120));
                let path = format!("/api/v1/posts/{}/comments", post.id);
                let id = created(client, guest, &path, json!({ "content": content })).await?;
                post.comments.push(Remark { id, content, author: guest.name.clone() });
            }
            Ok(())
        })
        .await?;
    Ok(posts)
}

/// Many posts of one author, and the order in which the shop shows them.
async fn long_list(client: &Client, run: &str, count: usize) -> Result<List, BoxError> {
    let author = Customer::join(client, "Diarist", &format!("list-{run}@example.com")).await?;
    let titles = (0..count).map(|number| format!("Day {number}"));
    let written: BTreeSet<String> = stream::iter(titles)
        .map(|title| {
            let author = &author;
            async move { publish(client, author, &title).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let (mut ids, mut next) = (Vec::with_capacity(count), String::new());
    loop {
        let path = format!("/api/v1/users/{}/posts?limit={PAGE}{next}", author.id);
        let page = client.get(&path, Some(author.token())).await?;
        let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        ids.extend(items.iter().map(|item| id_of(item).to_owned()));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    if written != ids.iter().cloned().collect() || ids.len() != count {
        return Err(format!("{count} posts were written, and {} are shown", ids.len()).into());
    }
    Ok(List { author: author.id, ids })
}

async fn publish(client: &Client, author: &Customer, title: &str) -> Result<String, BoxError> {
    let path = format!("/api/v1/users/{}/posts", author.id);
    let body = json!({
        "title": title,
        "content": text(400),
        "tags": ["compare", "reading", "protocols"],
    });
    created(client, author, &path, body).await
}

async fn created(
    client: &Client,
    by: &Customer,
    path: &str,
    body: Value,
) -> Result<String, BoxError> {
    let call = Call { token: Some(by.token()), idempotency_key: None, body: Some(body) };
    let answer = client.call(Method::POST, path, &call).await?;
    let made = answer.expect(StatusCode::CREATED, &Method::POST, path)?;
    Ok(id_of(&made).to_owned())
}

fn id_of(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_default()
}

/// About so many characters of a text that says little. The shop takes spaces off at the end.
fn text(length: usize) -> String {
    let text: String =
        "It was bright, and clocks were striking. ".chars().cycle().take(length).collect();
    text.trim_end().to_owned()
}

// === impl Sizes ===

impl Default for Sizes {
    fn default() -> Self {
        Self { posts: 20, comments: 5, list: 1_000 }
    }
}

// === impl Reader ===

impl Reader {
    /// Places an order, and answers its id.
    ///
    /// # Errors
    /// When the shop refuses it.
    pub(super) async fn order(&self, key: &str) -> Result<String, BoxError> {
        Ok(self.customer.order(&self.wish, key).await?)
    }

    /// Names travel as events: the service that shows them may learn them a little later.
    async fn until_names_are_known(&self, client: &Client) -> Result<(), BoxError> {
        let waiting = async {
            for post in &self.posts {
                let path = format!("/api/v1/posts/{}/comments?limit={PAGE}", post.id);
                loop {
                    let page = client.get(&path, Some(self.customer.token())).await?;
                    let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
                    if items.iter().all(|item| item["author"]["name"].is_string()) {
                        break;
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
            Ok::<_, BoxError>(())
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .map_err(|_| "the names of those who commented are not known after half a minute")?
    }
}
