//! Which queues a message reaches: the layout, prepared for looking up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use switchboard_core::Name;

use crate::exchange::{Kind, Layout, Matching, headers_match, topic_matches};

/// The headers of a message, by name.
pub(super) type Headers = BTreeMap<Name, Arc<str>>;

/// All exchanges with their bindings. Queues are known by their index in the layout.
#[derive(Debug, Default)]
pub(super) struct Routes {
    exchanges: HashMap<Name, Router>,
    queues: HashMap<Name, usize>,
}

#[derive(Debug)]
struct Router {
    alternate: Option<Name>,
    rules: Rules,
}

#[derive(Debug)]
enum Rules {
    Direct(HashMap<Name, Vec<usize>>),
    Topic(Vec<(Name, usize)>),
    Fanout(Vec<usize>),
    Headers(Vec<ByHeaders>),
}

/// A binding by headers.
#[derive(Debug)]
struct ByHeaders {
    all: bool,
    values: BTreeMap<Name, Option<Arc<str>>>,
    queue: usize,
}

// === impl Routes ===

impl Routes {
    pub(super) fn new(layout: &Layout) -> Self {
        let number = |(index, queue): (usize, &crate::exchange::Queue)| (queue.name.clone(), index);
        let mut routes = Self {
            exchanges: HashMap::new(),
            queues: layout.queues.iter().enumerate().map(number).collect(),
        };
        for exchange in &layout.exchanges {
            let rules = match exchange.kind {
                Kind::Direct => Rules::Direct(HashMap::new()),
                Kind::Topic => Rules::Topic(Vec::new()),
                Kind::Fanout => Rules::Fanout(Vec::new()),
                Kind::Headers => Rules::Headers(Vec::new()),
            };
            let router = Router { alternate: exchange.alternate.clone(), rules };
            routes.exchanges.insert(exchange.name.clone(), router);
        }
        for binding in &layout.bindings {
            let queue = routes.queues.get(&binding.queue);
            let router = routes.exchanges.get_mut(&binding.exchange);
            if let (Some(queue), Some(router)) = (queue, router) {
                router.rules.add(&binding.matching, *queue);
            }
        }
        routes
    }

    pub(super) fn queue(&self, name: &str) -> Option<usize> {
        self.queues.get(name).copied()
    }

    /// Whether something can be sent to this exchange.
    pub(super) fn knows(&self, exchange: &str) -> bool {
        exchange.is_empty() || self.exchanges.contains_key(exchange)
    }

    /// The queues, each once, in the order of their declaration; none when nothing takes it.
    pub(super) fn route(&self, exchange: &str, routing_key: &str, headers: &Headers) -> Vec<usize> {
        if exchange.is_empty() {
            return self.queue(routing_key).into_iter().collect();
        }
        // Alternates may stand in a circle.
        let mut seen: Vec<&str> = Vec::new();
        let mut next = Some(exchange);
        while let Some(name) = next.filter(|name| !seen.contains(name)) {
            seen.push(name);
            let Some(router) = self.exchanges.get(name) else { break };
            let mut queues = router.rules.route(routing_key, headers);
            if !queues.is_empty() {
                queues.sort_unstable();
                queues.dedup();
                return queues;
            }
            next = router.alternate.as_deref();
        }
        Vec::new()
    }
}

// === impl Rules ===

impl Rules {
    /// What the layout's check would not let pass is ignored here.
    fn add(&mut self, matching: &Matching, queue: usize) {
        match (self, matching) {
            (Self::Direct(queues), Matching::Key(key)) => {
                queues.entry(key.clone()).or_default().push(queue);
            }
            (Self::Topic(patterns), Matching::Key(pattern)) => {
                patterns.push((pattern.clone(), queue));
            }
            (Self::Fanout(queues), _) => queues.push(queue),
            (Self::Headers(bindings), Matching::Headers { all, values }) => {
                bindings.push(ByHeaders { all: *all, values: values.clone(), queue });
            }
            _ => {}
        }
    }

    fn route(&self, routing_key: &str, headers: &Headers) -> Vec<usize> {
        match self {
            Self::Direct(queues) => queues.get(routing_key).cloned().unwrap_or_default(),
            Self::Fanout(queues) => queues.clone(),
            Self::Topic(patterns) => patterns
                .iter()
                .filter(|(pattern, _)| topic_matches(pattern, routing_key))
                .map(|(_, queue)| *queue)
                .collect(),
            Self::Headers(bindings) => bindings
                .iter()
                .filter(|by| headers_match(by.all, &by.values, headers))
                .map(|by| by.queue)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Binding, Exchange, Queue};

    #[test]
    fn a_queue_gets_a_message_once_however_many_bindings_match() {
        let layout = Layout::default()
            .with_exchange(Exchange::new("t", Kind::Topic))
            .with_queue(Queue::new("q"))
            .with_queue(Queue::new("r"))
            .with_binding(Binding::key("t", "r", "#"))
            .with_binding(Binding::key("t", "q", "a.*"))
            .with_binding(Binding::key("t", "q", "*.b"));
        let routes = Routes::new(&layout);
        assert_eq!(routes.route("t", "a.b", &Headers::new()), [0, 1]);
        assert_eq!(routes.route("t", "c", &Headers::new()), [1]);
        assert_eq!(routes.route("", "q", &Headers::new()), [0]);
        assert!(routes.route("", "nobody", &Headers::new()).is_empty());
    }

    #[test]
    fn what_nothing_takes_goes_to_the_alternate_and_circles_end() {
        let layout = Layout::default()
            .with_exchange(Exchange::new("a", Kind::Direct).with_alternate("b"))
            .with_exchange(Exchange::new("b", Kind::Direct).with_alternate("a"))
            .with_queue(Queue::new("q"))
            .with_binding(Binding::key("b", "q", "k"));
        let routes = Routes::new(&layout);
        assert_eq!(routes.route("a", "k", &Headers::new()), [0]);
        assert!(routes.route("a", "x", &Headers::new()).is_empty());
    }
}
