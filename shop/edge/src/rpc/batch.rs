//! Batches: each thing asked for once, so many at most, and read a few at a time.

use std::collections::HashSet;
use std::future::Future;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::BATCH_MAX;
use crate::{FieldError, Problem};

/// Reads of one batch that run at the same time.
const AT_ONCE: usize = 16;

/// The keys, each once, in the order in which they were asked for first.
///
/// # Errors
/// 422 naming the field, when there are more than [`BATCH_MAX`].
pub fn distinct(keys: Vec<String>, field: &str) -> Result<Vec<String>, Problem> {
    let mut seen = HashSet::new();
    let keys: Vec<_> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
    if keys.len() <= BATCH_MAX {
        return Ok(keys);
    }
    let detail = format!("must hold at most {BATCH_MAX} different items");
    Err(Problem::validation(vec![FieldError {
        pointer: format!("#/{field}"),
        code: "length",
        detail,
    }]))
}

/// Reads each of them, and answers those that are there, in their order.
///
/// # Errors
/// The first one that cannot be read.
pub async fn found<T, E, Fut>(
    keys: Vec<String>,
    read: impl FnMut(String) -> Fut,
) -> Result<Vec<T>, E>
where
    Fut: Future<Output = Result<Option<T>, E>>,
{
    let read: Vec<Option<T>> = stream::iter(keys).map(read).buffered(AT_ONCE).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_there_is_answered_once_and_in_the_order_of_the_keys() {
        let keys = distinct(["b", "a", "b", "x"].map(str::to_owned).into(), "ids").unwrap();
        let read = |key: String| async move { Ok::<_, Problem>((key != "x").then_some(key)) };
        assert_eq!(found(keys, read).await.unwrap(), ["b", "a"]);
    }

    #[test]
    fn a_batch_is_bounded_and_says_which_field_is_too_long() {
        let keys = |count: usize| (0..count).map(|key| key.to_string()).collect();
        assert_eq!(distinct(keys(BATCH_MAX), "ids").unwrap().len(), BATCH_MAX);
        let problem = distinct(keys(BATCH_MAX + 1), "ids").unwrap_err();
        assert_eq!((problem.status().as_u16(), &*problem.errors()[0].pointer), (422, "#/ids"));
        let same = std::iter::repeat_n("a".to_owned(), 5_000).collect();
        assert_eq!(distinct(same, "ids").unwrap(), ["a"]);
    }
}
