//! In which order jobs come back to a queue.

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1_000)
}

/// A queue with so many messages, and workers 1 and 2 with this prefetch.
fn line(queue: Queue, messages: u64, prefetch: usize) -> Line {
    let mut line = Line::new(&queue, State::default().ended(0, true));
    line.published(messages);
    line.join(1, prefetch, Arc::default());
    line.join(2, prefetch, Arc::default());
    line
}

fn take(line: &mut Line, worker: u64, now: Timestamp) -> Vec<Claim> {
    match line.look(worker, now) {
        Step::Take(claims) => claims,
        Step::Wait(_) => Vec::new(),
    }
}

fn positions(claims: &[Claim]) -> Vec<u64> {
    claims.iter().map(|claim| claim.position).collect()
}

#[test]
fn what_comes_back_stands_behind_what_came_back_before() {
    let mut line = line(Queue::new("q"), 5, 2);
    let first = take(&mut line, 1, at(0));
    let second = take(&mut line, 2, at(0));
    assert_eq!((positions(&first), positions(&second)), (vec![1, 2], vec![3, 4]));
    line.settle(2, second[1].number, Outcome::Retry(at(0)), at(1));
    line.leave(1, at(2));
    line.settle(2, second[0].number, Outcome::Retry(at(3)), at(3));
    assert_eq!(line.head(), Some(4));
    let order: Vec<u64> = (0..3).flat_map(|_| positions(&take(&mut line, 2, at(4)))).collect();
    assert_eq!(order, [4, 1]);
    line.leave(2, at(5));
    line.join(3, 9, Arc::default());
    assert_eq!(positions(&take(&mut line, 3, at(6))), [2, 3, 4, 1, 5]);
}

#[test]
fn whose_moment_comes_stands_behind_what_came_back_before_that_moment() {
    let mut line = line(Queue::new("q"), 3, 3);
    let claims = take(&mut line, 1, at(0));
    let claims = [claims, take(&mut line, 2, at(0))].concat();
    assert_eq!(positions(&claims), [1, 2, 3]);
    line.settle(1, claims[0].number, Outcome::Retry(at(10)), at(1));
    line.settle(1, claims[1].number, Outcome::Retry(at(1)), at(1));
    // The moment of the first passes, and only then the worker with the third leaves.
    line.leave(2, at(11));
    line.leave(1, at(11));
    line.join(3, 9, Arc::default());
    assert_eq!(positions(&take(&mut line, 3, at(12))), [2, 1, 3]);
}

#[test]
fn what_was_taken_in_vain_stands_where_it_stood() {
    let mut line = line(Queue::new("q"), 8, 3);
    let first = take(&mut line, 1, at(0));
    let second = take(&mut line, 2, at(0));
    line.settle(2, second[0].number, Outcome::Retry(at(0)), at(0));
    line.unclaim(2, second[1..].iter().map(|claim| claim.number));
    line.unclaim(1, first.iter().map(|claim| claim.number));
    let again = take(&mut line, 1, at(1));
    assert_eq!((positions(&again), again[0].count, again[1].count), (vec![4, 1, 2], 1, 0));
    line.unclaim(1, again.iter().map(|claim| claim.number));
    line.leave(2, at(1));
    line.leave(1, at(1));
    line.join(3, 9, Arc::default());
    assert_eq!(positions(&take(&mut line, 3, at(1))), [4, 1, 2, 3, 5, 6, 7, 8]);
}

#[test]
fn a_head_that_expires_before_the_one_that_is_watched_is_urgent() {
    let mut line = line(Queue::new("q").with_ttl(std::time::Duration::from_secs(60)), 4, 2);
    let first = take(&mut line, 1, at(0));
    let second = take(&mut line, 2, at(0));
    line.settle(2, second[1].number, Outcome::Retry(at(0)), at(0));
    line.settle(1, first[0].number, Outcome::Retry(at(1)), at(1));
    line.watched = line.head();
    assert_eq!((line.watched, line.is_urgent()), (Some(4), false));
    assert_eq!(positions(&take(&mut line, 2, at(2))), [4]);
    assert!(line.is_urgent(), "1 stands first now");
}
