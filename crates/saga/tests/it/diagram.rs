//! What a saga draws of itself.

use crate::trip::trip;
use crate::world::{World, done, refused, undo};

#[test]
fn the_definition_as_mermaid() {
    let expected = include_str!("trip.mermaid");
    let actual = trip().mermaid();
    assert_eq!(actual, expected, "the drawing has changed; now it is:\n{actual}");
}

/// How each step stands in the drawing of a run: `look: done`.
async fn standing(world: &World) -> Vec<String> {
    let svg = trip().svg(Some(&world.shown("t1").await.run));
    assert_safe(&svg);
    let titles = svg.split("<title>").skip(2).filter_map(|rest| rest.split("</title>").next());
    titles.map(|title| title.replace(" pivot", "")).collect()
}

/// Acceptable to `style-src 'self'; script-src 'self'`, and readable without seeing it.
fn assert_safe(svg: &str) {
    for forbidden in ["style=", "<style", "<script", "onload", "fill=\"#", "stroke=\"#", "href"] {
        assert!(!svg.contains(forbidden), "{forbidden} in {svg}");
    }
    assert!(svg.contains("role=\"img\"") && svg.contains("<title>Saga trip</title>"), "{svg}");
}

#[test]
fn the_definition_alone_shows_everything_as_remaining() {
    let svg = trip().svg(None);
    assert_safe(&svg);
    assert_eq!(svg.matches("class=\"step ").count(), 5, "four steps and one undo");
    assert_eq!(svg.matches("class=\"step remaining").count(), 5);
    assert_eq!(svg.matches("remaining pivot").count(), 2, "its class and its title");
}

#[tokio::test(start_paused = true)]
async fn a_run_shows_what_is_done_running_remaining_and_undone() {
    let mut world = World::new().await;
    world.start("t1").await;
    world.told("t1", done("look")).await;
    assert_eq!(
        standing(&world).await,
        ["look: done", "room: running", "undo room: never", "pay: remaining", "papers: remaining"]
    );
    world.told("t1", done("room")).await;
    world.told("t1", refused("pay", "no_money")).await;
    assert_eq!(
        standing(&world).await,
        ["look: done", "room: done", "undo room: running", "pay: refused", "papers: never"]
    );
    world.told("t1", undo(refused("room", "locked"))).await;
    assert_eq!(standing(&world).await[2], "undo room: stuck");
    let unit = world.saga.retry("t1", "olga").await.unwrap();
    world.commit(unit).await.unwrap();
    world.told("t1", crate::world::Told { epoch: 2, ..undo(done("room")) }).await;
    assert_eq!(
        standing(&world).await,
        ["look: done", "room: undone", "undo room: done", "pay: refused", "papers: never"]
    );
}
