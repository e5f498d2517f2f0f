//! What a document may ask, judged before anything of it runs: size, nesting, aliases, fragments, arguments.
//!
//! The text is counted before it is parsed, because a parser can be made to work hard too; then the document is walked once with its
//! fragments written out, and the walk ends at the first bound.

use std::convert::Infallible;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError, Value as Literal};
use serde_json::Value;

use super::errors::{self, Code};
use super::options::Limits;

/// Lists of the schema about itself inside one another: a type's fields' types' fields.
const INTROSPECTED_LISTS: usize = 3;

/// A document within the limits.
pub(super) struct Judged {
    pub(super) document: ExecutableDocument,
    /// What the operation that will run is.
    pub(super) kind: OperationType,
    /// What it does, if it is a mutation.
    pub(super) mutations: u64,
}

/// Parses a text, unless it or what it says is beyond the limits.
pub(super) fn judge(
    text: &str,
    operation_name: Option<&str>,
    limits: &Limits,
    introspection: bool,
) -> Result<Judged, ServerError> {
    scan(text, limits)?;
    let document = parse_query(text).map_err(|error| {
        let error = ServerError::from(error);
        errors::with_code(error, Code::ParseFailed)
    })?;
    let count = document.operations.iter().count();
    within("operations", count, limits.operations)?;
    let chosen = chosen(&document, operation_name)?;
    let (kind, mut mutations) = (chosen.ty, 0);
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        let mut walk = Walk::new(&document, limits, introspection);
        walk.operation(operation)?;
        if operation.ty == OperationType::Subscription && walk.root_fields != 1 {
            let error = ServerError::new("A subscription must have exactly one field.", None);
            return Err(errors::with_code(error, Code::ValidationFailed));
        }
        if std::ptr::eq(operation, chosen) && kind == OperationType::Mutation {
            mutations = walk.root_fields as u64;
        }
    }
    Ok(Judged { document, kind, mutations })
}

/// The operation that will run.
fn chosen<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Result<&'d OperationDefinition, ServerError> {
    let invalid =
        |text: String| errors::with_code(ServerError::new(text, None), Code::ValidationFailed);
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(only), None) => Some(only),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => all.values().next(),
        (DocumentOperations::Multiple(_), None) => {
            let text = "The document has several operations: say which with `operationName`.";
            return Err(invalid(text.to_owned()));
        }
    };
    let unknown = || invalid(format!("There is no operation `{}`.", name.unwrap_or_default()));
    found.map(|operation| &operation.node).ok_or_else(unknown)
}

/// Holds the depth of variables to the same bound as that of arguments.
pub(super) fn check_variables(variables: &Value, limits: &Limits) -> Result<(), ServerError> {
    fn depth(value: &Value) -> usize {
        let deepest = |items: &mut dyn Iterator<Item = &Value>| items.map(depth).max().unwrap_or(0);
        match value {
            Value::Array(items) => 1 + deepest(&mut items.iter()),
            Value::Object(fields) => 1 + deepest(&mut fields.values()),
            _ => 0,
        }
    }
    // The object of all variables is not a level of its own.
    within("input_depth", depth(variables).saturating_sub(1), limits.input_depth)
}

fn within(limit: &'static str, found: usize, allowed: usize) -> Result<(), ServerError> {
    if found <= allowed { Ok(()) } else { Err(errors::beyond(limit, found as u64, allowed as u64)) }
}

/// Counts bytes, tokens and brackets without understanding them.
fn scan(text: &str, limits: &Limits) -> Result<(), ServerError> {
    within("bytes", text.len(), limits.bytes)?;
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut open) = (0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += bytes[at..].iter().take_while(|it| !matches!(it, b'\n' | b'\r')).count();
                continue;
            }
            b'"' => text_length(&bytes[at..]),
            b'.' => bytes[at..].iter().take(3).take_while(|it| **it == b'.').count(),
            b'_' | b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => {
                let is_in =
                    |it: &&u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'+');
                1 + bytes[at + 1..].iter().take_while(is_in).count()
            }
            _ => 1,
        };
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        at += length;
        tokens += 1;
        within("tokens", tokens, limits.tokens)?;
        within("nesting", open, limits.nesting)?;
    }
    Ok(())
}

/// Bytes of the text that begins here, its quotes included; up to the end when it does not end.
fn text_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\"\"\"") {
        let mut at = 3;
        while at < bytes.len() {
            match &bytes[at..] {
                [b'\\', b'"', b'"', b'"', ..] => at += 4,
                [b'"', b'"', b'"', ..] => return at + 3,
                _ => at += 1,
            }
        }
        return bytes.len();
    }
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// One pass over an operation.
struct Walk<'d> {
    document: &'d ExecutableDocument,
    limits: &'d Limits,
    introspection: bool,
    fields: usize,
    root_fields: usize,
    aliases: usize,
    directives: usize,
    /// Fragments that are being written out.
    inside: Vec<&'d Name>,
}

// === impl Walk ===

impl<'d> Walk<'d> {
    fn new(document: &'d ExecutableDocument, limits: &'d Limits, introspection: bool) -> Self {
        let (fields, root_fields, aliases, directives) = (0, 0, 0, 0);
        let inside = Vec::new();
        Self { document, limits, introspection, fields, root_fields, aliases, directives, inside }
    }

    fn operation(&mut self, operation: &'d OperationDefinition) -> Result<(), ServerError> {
        self.directives(&operation.directives)?;
        for variable in &operation.variable_definitions {
            self.directives(&variable.node.directives)?;
            if let Some(value) = &variable.node.default_value {
                self.argument(&value.node)?;
            }
        }
        self.selections(&operation.selection_set.node, 1, None)
    }

    /// `introspected` counts lists of the schema about itself, once inside of it.
    fn selections(
        &mut self,
        set: &'d SelectionSet,
        depth: usize,
        introspected: Option<usize>,
    ) -> Result<(), ServerError> {
        for selection in &set.items {
            // Whatever is looked at counts, also what comes to no field: a fragment that is not there,
            // or one of nothing but fragments, can be written out as often as any other.
            self.fields += 1;
            within("fields", self.fields, self.limits.fields)?;
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, depth, introspected)?,
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.node.directives)?;
                    self.selections(&fragment.node.selection_set.node, depth, introspected)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives)?;
                    let name = &spread.node.fragment_name.node;
                    if self.inside.contains(&name) {
                        let text = format!("The fragment `{name}` contains itself.");
                        let error = ServerError::new(text, Some(selection.pos));
                        return Err(errors::with_code(error, Code::ValidationFailed));
                    }
                    // One that is not there is found by the validation.
                    let Some(fragment) = self.document.fragments.get(name) else { continue };
                    self.inside.push(name);
                    self.directives(&fragment.node.directives)?;
                    self.selections(&fragment.node.selection_set.node, depth, introspected)?;
                    self.inside.pop();
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &'d Field,
        depth: usize,
        introspected: Option<usize>,
    ) -> Result<(), ServerError> {
        within("depth", depth, self.limits.depth)?;
        if depth == 1 {
            self.root_fields += 1;
            within("root_fields", self.root_fields, self.limits.root_fields)?;
        }
        if field.alias.is_some() {
            self.aliases += 1;
            within("aliases", self.aliases, self.limits.aliases)?;
        }
        self.directives(&field.directives)?;
        for (_, value) in &field.arguments {
            let Ok(value) = value.node.clone().into_const_with(unknown);
            self.argument(&value)?;
        }
        let name = field.name.node.as_str();
        if !self.introspection && matches!(name, "__schema" | "__type") {
            let error = ServerError::new("The schema cannot be asked for here.", None);
            return Err(errors::with_code(error, Code::ValidationFailed));
        }
        let introspected = match introspected {
            None => matches!(name, "__schema" | "__type").then_some(0),
            Some(lists) => {
                let is_list =
                    matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
                Some(lists + usize::from(is_list))
            }
        };
        within("introspected_lists", introspected.unwrap_or(0), INTROSPECTED_LISTS)?;
        self.selections(&field.selection_set.node, depth + 1, introspected)
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), ServerError> {
        self.directives += directives.len();
        within("directives", self.directives, self.limits.directives)?;
        for (_, value) in directives.iter().flat_map(|directive| &directive.node.arguments) {
            let Ok(value) = value.node.clone().into_const_with(unknown);
            self.argument(&value)?;
        }
        Ok(())
    }

    /// What variables hold is bounded on its own.
    fn argument(&self, value: &Literal) -> Result<(), ServerError> {
        within("input_depth", literal_depth(value), self.limits.input_depth)
    }
}

/// A variable inside of an argument; its depth is counted where variables are.
fn unknown(_: Name) -> Result<Literal, Infallible> {
    Ok(Literal::Null)
}

fn literal_depth(value: &Literal) -> usize {
    match value {
        Literal::List(items) => 1 + items.iter().map(literal_depth).max().unwrap_or(0),
        Literal::Object(fields) => 1 + fields.values().map(literal_depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of the bound that stops this text; empty when nothing does.
    fn stopped_by(text: &str) -> String {
        match judge(text, None, &Limits::default(), true) {
            Ok(_) => String::new(),
            Err(error) => {
                let limit = error.extensions.and_then(|it| it.get("limit").cloned());
                let limit =
                    limit.map(|it| it.into_json().unwrap()["name"].as_str().unwrap().to_owned());
                limit.unwrap_or(error.message)
            }
        }
    }

    fn nested(depth: usize) -> String {
        format!("{}a{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth))
    }

    #[test]
    fn g3_each_bound_holds_exactly() {
        let many = |count: usize, item: &str| item.repeat(count);
        let aliases = |count: usize| {
            let fields: String = (0..count).map(|number| format!("a{number}:b ")).collect();
            format!("{{ x {{ {fields} }} }}")
        };
        let directives = |count| format!("{{ a {} }}", many(count, "@skip(if: false) "));
        let argument = |depth| format!("{{ a(b: {}1{}) }}", many(depth, "["), many(depth, "]"));
        let operations = |count: usize| -> String {
            (0..count).map(|number| format!("query q{number} {{ a }} ")).collect()
        };
        let tokens = |count: usize| format!("{{ x {{ {} }} }}", many(count - 5, "a "));
        let cases: [(&str, String, String); 7] = [
            ("depth", nested(15), nested(16)),
            ("aliases", aliases(30), aliases(31)),
            (
                "root_fields",
                format!("{{ {} }}", many(20, "a ")),
                format!("{{ {} }}", many(21, "a ")),
            ),
            ("directives", directives(50), directives(51)),
            ("input_depth", argument(10), argument(11)),
            ("tokens", tokens(1_999), tokens(2_001)),
            (
                "bytes",
                format!("{{a}}#{}", many(32_764, "x")),
                format!("{{a}}#{}", many(32_765, "x")),
            ),
        ];
        for (limit, good, bad) in cases {
            assert_eq!((stopped_by(&good), stopped_by(&bad)), (String::new(), limit.to_owned()));
        }
        assert_eq!(stopped_by(&operations(11)), "operations");
        assert_eq!(stopped_by(&"{a".repeat(100)), "nesting");
    }

    #[test]
    fn g3_fragments_that_multiply_are_counted_as_what_they_come_to() {
        let mut text = String::from("{ ...f0 } ");
        for number in 0..20 {
            let next = number + 1;
            text += &format!(
                "fragment f{number} on Query {{ x {{ ...f{next} }} y {{ ...f{next} }} }} "
            );
        }
        text += "fragment f20 on Query { a }";
        assert_eq!(stopped_by(&text), "depth");
        let wide: String = (0..11)
            .map(|number| {
                let next = number + 1;
                format!("fragment f{number} on Query {{ ...f{next} ...f{next} }} ")
            })
            .collect();
        let wide = format!("{{ x {{ ...f0 }} }} {wide} fragment f11 on Query {{ a }}");
        assert_eq!(stopped_by(&wide), "fields");
        let cycle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
        assert!(stopped_by(cycle).contains("contains itself"));
    }

    /// Without a bound on what is looked at, this takes longer than anybody lives.
    #[test]
    fn g3_fragments_that_multiply_and_come_to_no_field_are_counted_too() {
        let chain = |link: fn(usize) -> String, leaf: &str| {
            let links: String = (0..100).map(link).collect();
            format!("{{ ...f0 }} {links} {leaf}")
        };
        let doubled = |number: usize| {
            let next = number + 1;
            format!("fragment f{number} on Query {{ ...f{next} ...f{next} }} ")
        };
        let inline = |number: usize| {
            let next = number + 1;
            format!("fragment f{number} on Query {{ ... {{ ...f{next} }} ...f{next} }} ")
        };
        assert_eq!(stopped_by(&chain(doubled, "")), "fields", "the last one is missing");
        assert_eq!(stopped_by(&chain(inline, "")), "fields");
        let circle = chain(doubled, "fragment f100 on Query { ...f0 }");
        assert!(stopped_by(&circle).contains("contains itself"));
        let cycle = "{ ...a } fragment a on Query { ...b ...b } fragment b on Query { ...a ...a }";
        assert!(stopped_by(cycle).contains("contains itself"));
        assert_eq!(stopped_by("{ ...missing }"), "", "the validation says what is wrong");
    }

    #[test]
    fn g3_the_schema_about_itself_cannot_be_asked_in_circles() {
        let round = "fields { type { fields { type { fields { name } } } } }";
        assert_eq!(stopped_by(&format!("{{ __schema {{ types {{ {round} }} }} }}")), "");
        let once_more = round.replace("name", "type { fields { name } }");
        let text = format!("{{ __schema {{ types {{ {once_more} }} }} }}");
        assert_eq!(stopped_by(&text), "introspected_lists");
    }

    #[test]
    fn g3_where_the_schema_is_not_shown_nobody_asks_for_it() {
        let judged = |text| judge(text, None, &Limits::default(), false);
        assert!(judged("{ __typename }").is_ok());
        for text in ["{ __schema { types { name } } }", "{ __type(name: \"A\") { name } }"] {
            assert!(judged(text).is_err(), "{text}");
        }
    }

    #[test]
    fn g3_brackets_and_words_inside_texts_count_for_nothing() {
        let inside = "({[ ".repeat(100);
        assert_eq!(stopped_by(&format!("{{ a(b: \"{inside}\\\" {inside}\") }}")), "");
        assert_eq!(
            stopped_by(&format!("{{ a(b: \"\"\"{inside} \\\"\"\" \"\"\") }} # {inside}")),
            ""
        );
    }

    #[test]
    fn g3_variables_are_no_deeper_than_arguments() {
        let nested = |depth: usize| -> Value {
            serde_json::from_str(&format!("{{\"v\":{}{}}}", "[".repeat(depth), "]".repeat(depth)))
                .unwrap()
        };
        assert!(check_variables(&nested(10), &Limits::default()).is_ok());
        assert!(check_variables(&nested(11), &Limits::default()).is_err());
    }

    #[test]
    fn g7_a_subscription_has_one_field_however_it_is_written() {
        for (text, is_one) in [
            ("subscription { a { x y } }", true),
            ("subscription { ...f } fragment f on S { a { x } }", true),
            ("subscription { a { x } b: a { x } }", false),
            ("subscription { a { x } ...f } fragment f on S { a { x } }", false),
            ("query q { x } subscription s { a b }", false),
        ] {
            let judged =
                judge(text, text.starts_with("query").then_some("q"), &Limits::default(), true);
            assert_eq!(judged.is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn g4_what_a_mutation_does_is_counted_with_its_aliases() {
        let text = "query q { x } mutation m { a: f b: f ...more } fragment more on M { c: f }";
        let mutations = |name| judge(text, Some(name), &Limits::default(), true).unwrap().mutations;
        assert_eq!((mutations("q"), mutations("m")), (0, 3));
    }

    #[test]
    fn the_operation_is_chosen_by_its_name() {
        let text = "query a { x } mutation b { y }";
        let kind = |name| judge(text, name, &Limits::default(), true).map(|judged| judged.kind);
        assert_eq!(kind(Some("b")).unwrap(), OperationType::Mutation);
        assert!(kind(Some("c")).unwrap_err().message.contains("no operation `c`"));
        assert!(kind(None).unwrap_err().message.contains("several operations"));
    }
}
