//! Reading for many at once.

use std::time::Duration;

use shop_content::app::{BATCH_MAX, Error};
use shop_contracts::users::UserCreated;

use crate::Shop;

fn keys<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_batch_answers_for_each_key_once_and_bounded() {
    let shop = Shop::new();
    let mut anns = Vec::new();
    for number in 0..4 {
        shop.bench.clock.advance(Duration::from_secs(1));
        let path = shop.post("ann", &number.to_string(), &[]).await;
        shop.comment(&path, "bob", "first").await;
        shop.bench.clock.advance(Duration::from_secs(1));
        shop.comment(&path, "ann", "second").await;
        anns.push(path.trim_start_matches("/posts/").to_owned());
    }
    let bobs = shop.post("bob", "bobs", &[]).await.trim_start_matches("/posts/").to_owned();

    let posts = shop.app.posts_of_authors(&keys(["ann", "bob", "eve", "ann"]), 3).await.unwrap();
    let titles =
        |author: &str| -> Vec<_> { posts[author].iter().map(|post| &*post.title).collect() };
    assert_eq!((titles("ann"), titles("bob")), (vec!["3", "2", "1"], vec!["bobs"]));
    assert_eq!((posts.len(), posts["eve"].len()), (3, 0));

    let ids = [anns[0].clone(), bobs.clone(), "none".to_owned()];
    let posts = shop.app.posts_by_ids(&ids).await.unwrap();
    assert_eq!((posts.len(), &*posts[&anns[0]].title, &*posts[&bobs].title), (2, "0", "bobs"));

    let comments = shop.app.comments_of_posts(&[anns[1].clone(), bobs.clone()], 1).await.unwrap();
    let first: Vec<_> = comments[&anns[1]].iter().map(|comment| &*comment.content).collect();
    assert_eq!((first, comments[&bobs].len()), (vec!["first"], 0));
}

#[tokio::test(start_paused = true)]
async fn authors_are_all_there_and_those_that_are_known_have_names() {
    let mut shop = Shop::new();
    let running = shop.run().await;
    let ann = UserCreated {
        user_id: "ann".to_owned(),
        name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
    };
    shop.hears(&ann, 1).await;
    shop.until("ann", async || shop.app.author("ann").await.unwrap().name.is_some()).await;
    let authors = shop.app.authors(&keys(["ann", "bob", "ann"])).await.unwrap();
    assert_eq!(authors.len(), 2);
    assert_eq!((authors["ann"].name.as_deref(), &authors["bob"].name), (Some("Ann"), &None));
    running.end().await;
}

#[tokio::test]
async fn a_batch_has_a_bound() {
    let shop = Shop::new();
    let most: Vec<_> = (0..BATCH_MAX).map(|number| number.to_string()).collect();
    assert_eq!(shop.app.authors(&most).await.unwrap().len(), BATCH_MAX);
    let more = [most, keys(["one more"])].concat();
    let error = shop.app.posts_by_ids(&more).await.unwrap_err();
    assert!(matches!(error, Error::TooMany(1_001)), "{error:?}");
}
