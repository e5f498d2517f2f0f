//! One operation: what it takes, what it answers, and every way in which it can say no.
//!
//! What is said of it may be said in any order: what follows from several things together is worked out when all of it is known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Schemas, Shape, add, shared};

/// JSON.
const JSON: &str = "application/json";
/// A merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
/// What any operation may answer: nobody speaks that form, wrong method, too often, our mistake,
/// and what the gateway says when it cannot reach a service.
const ANY: [u16; 7] = [405, 406, 429, 500, 502, 503, 504];
/// Headers of what represents the resource of an address.
const TAGGED: [&str; 3] = ["ETag", "Vary", shared::CACHE_CONTROL];
/// What an operation with a body may answer besides.
const WITH_BODY: [u16; 5] = [400, 408, 413, 415, 422];

/// A method at a path. Begin with [`Operation::get`] and the like.
#[derive(Clone, Debug)]
pub struct Operation {
    method: &'static str,
    path: String,
    id: String,
    summary: String,
    description: String,
    tag: Option<&'static str>,
    access: Access,
    deprecated: bool,
    parameters: Vec<Value>,
    /// Items on a page when nobody says how many; `None` when there are no pages.
    page: Option<u16>,
    /// Whether a caller may name a call, and whether they must.
    idempotent: Option<bool>,
    /// Whether a change may name a version, and whether it must.
    if_match: Option<bool>,
    body: Option<Value>,
    answers: BTreeMap<&'static str, Answer>,
    /// Headers of its good answers.
    shown: BTreeSet<&'static str>,
    /// Whether calls are counted, and its answers say how many are left.
    is_counted: bool,
    /// From its good answers on to other operations.
    links: Map<String, Value>,
    refused: BTreeSet<u16>,
    never: BTreeSet<u16>,
    schemas: Schemas,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Public,
    SignedIn,
    Operator,
}

/// One answer that is no problem.
#[derive(Clone, Debug, Default)]
struct Answer {
    description: String,
    /// Schema and example of each media type.
    content: Map<String, Value>,
    headers: BTreeSet<&'static str>,
}

/// In which forms a body is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// JSON.
    Json,
    /// A merge patch, or the same called JSON.
    Patch,
}

// === impl Operation ===

impl Operation {
    fn new(method: &'static str, path: &str, id: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            id: id.to_owned(),
            summary: String::new(),
            description: String::new(),
            tag: None,
            access: Access::SignedIn,
            deprecated: false,
            parameters: Vec::new(),
            page: None,
            idempotent: None,
            if_match: None,
            body: None,
            answers: BTreeMap::new(),
            shown: BTreeSet::new(),
            is_counted: true,
            links: Map::new(),
            refused: BTreeSet::new(),
            never: BTreeSet::new(),
            schemas: Schemas::new(),
        }
    }

    /// GET, under an id that generated clients use as the name of a function. Signed in, unless it
    /// is said otherwise.
    pub fn get(path: &str, id: &str) -> Self {
        Self::new("get", path, id)
    }

    /// POST.
    pub fn post(path: &str, id: &str) -> Self {
        Self::new("post", path, id)
    }

    /// PUT.
    pub fn put(path: &str, id: &str) -> Self {
        Self::new("put", path, id)
    }

    /// PATCH.
    pub fn patch(path: &str, id: &str) -> Self {
        Self::new("patch", path, id)
    }

    /// DELETE.
    pub fn delete(path: &str, id: &str) -> Self {
        Self::new("delete", path, id)
    }

    /// What it does, in a few words and in some sentences.
    #[must_use]
    pub fn says(mut self, summary: &str, description: &str) -> Self {
        (self.summary, self.description) = (summary.to_owned(), description.to_owned());
        self
    }

    /// Shown under this tag instead of its part's.
    #[must_use]
    pub fn tagged(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Anybody may call it.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Somebody with a token may call it.
    #[must_use]
    pub fn signed_in(mut self) -> Self {
        self.access = Access::SignedIn;
        self
    }

    /// The operator may call it.
    #[must_use]
    pub fn operator(mut self) -> Self {
        self.access = Access::Operator;
        self
    }

    /// A newer operation should be called: its answers say until when this one is there.
    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// Nobody counts how often it is called.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        self.is_counted = false;
        self
    }

    /// A part of the path.
    #[must_use]
    pub fn at(self, name: &str, about: &str, schema: Value, example: impl Into<Value>) -> Self {
        self.parameter("path", name, about, true, schema, example.into())
    }

    /// A part of the path that is an id which the shop gave out.
    #[must_use]
    pub fn at_id(self, name: &str, about: &str) -> Self {
        self.at(name, about, json!({ "type": "string", "minLength": 1 }), super::ID)
    }

    /// A parameter of the query, which may be left out.
    #[must_use]
    pub fn query(self, name: &str, about: &str, schema: Value, example: impl Into<Value>) -> Self {
        self.parameter("query", name, about, false, schema, example.into())
    }

    /// A parameter of the query that must be there.
    #[must_use]
    pub fn needs(self, name: &str, about: &str, schema: Value, example: impl Into<Value>) -> Self {
        self.parameter("query", name, about, true, schema, example.into())
    }

    fn parameter(
        mut self,
        place: &str,
        name: &str,
        about: &str,
        required: bool,
        schema: Value,
        example: Value,
    ) -> Self {
        self.parameters.push(json!({
            "in": place,
            "name": name,
            "description": about,
            "required": required,
            "schema": schema,
            "example": example,
        }));
        self
    }

    /// The header `Idempotency-Key`, required or not: the same key, the same answer.
    #[must_use]
    pub fn idempotent(mut self, required: bool) -> Self {
        self.idempotent = Some(required);
        self
    }

    /// Changes only the version that `If-Match` names; where it is required, 428 without.
    #[must_use]
    pub fn if_match(mut self, required: bool) -> Self {
        self.if_match = Some(required);
        self
    }

    /// Takes a body of this shape.
    #[must_use]
    pub fn body<T: Shape>(mut self, bodies: Bodies) -> Self {
        let schema = add::<T>(&mut self.schemas);
        let content = json!({ "schema": schema, "example": example::<T>() });
        let types: &[&str] = match bodies {
            Bodies::Json => &[JSON],
            Bodies::Patch => &[MERGE_PATCH, JSON],
        };
        let content: Map<_, _> =
            types.iter().map(|it| ((*it).to_owned(), content.clone())).collect();
        self.body = Some(json!({ "required": true, "content": content }));
        self
    }

    /// Adds to what is known of an answer.
    fn answer(mut self, status: &'static str, answer: Answer) -> Self {
        self.answers.entry(status).or_default().add(answer);
        self
    }

    fn answer_of<T: Shape>(mut self, status: &'static str, about: &str) -> Self {
        let answer = Answer::new(about).json(add::<T>(&mut self.schemas), example::<T>());
        self.answer(status, answer)
    }

    /// 200 with this shape.
    #[must_use]
    pub fn ok<T: Shape>(self, about: &str) -> Self {
        self.answer_of::<T>("200", about)
    }

    /// 201 with this shape, and where it is.
    #[must_use]
    pub fn created<T: Shape>(self, about: &str) -> Self {
        self.answer_of::<T>("201", about).with_header("201", "Location")
    }

    /// 201 with this shape, for something that has no address.
    #[must_use]
    pub fn created_nowhere<T: Shape>(self, about: &str) -> Self {
        self.answer_of::<T>("201", about)
    }

    /// 202 with this shape.
    #[must_use]
    pub fn accepted<T: Shape>(self, about: &str) -> Self {
        self.answer_of::<T>("202", about)
    }

    fn with_header(mut self, status: &'static str, header: &'static str) -> Self {
        self.answers.entry(status).or_default().headers.insert(header);
        self
    }

    /// A status with nothing in it: 202 or 204.
    #[must_use]
    pub fn empty(self, status: &'static str, about: &str) -> Self {
        self.answer(status, Answer::new(about))
    }

    /// 200 with a text that is no JSON, of this media type.
    #[must_use]
    pub fn text(self, about: &str, media_type: &'static str, example: &str) -> Self {
        self.answer(
            "200",
            Answer::new(about).content(media_type, json!({ "type": "string" }), example.into()),
        )
    }

    /// 200 also in this form, if the caller asks for that.
    #[must_use]
    pub fn or_as(self, media_type: &'static str, example: &str) -> Self {
        self.text("", media_type, example)
    }

    /// 200 with a status of its own beside 503: what health says.
    #[must_use]
    pub fn or_503<T: Shape>(self, about: &str) -> Self {
        self.answer_of::<T>("503", about)
    }

    /// 200 with a page of a collection; `limit` and `cursor` are its parameters.
    #[must_use]
    pub fn page_of<T: Shape>(mut self, about: &str) -> Self {
        self.page = self.page.or(Some(shared::PAGE));
        self.collection::<T>(about, true)
    }

    /// Its pages hold so many items when nobody says how many.
    #[must_use]
    pub fn holds(mut self, items: u16) -> Self {
        self.page = Some(items);
        self
    }

    /// 200 with a collection that is answered as a whole.
    #[must_use]
    pub fn list_of<T: Shape>(self, about: &str) -> Self {
        self.collection::<T>(about, false)
    }

    fn collection<T: Shape>(mut self, about: &str, paged: bool) -> Self {
        let items = add::<T>(&mut self.schemas);
        let links = add::<super::Link>(&mut self.schemas);
        let name = format!("{}{}", T::name(), if paged { "Page" } else { "List" });
        self.schemas.insert(name.clone(), shared::collection(&name, items, links, paged));
        let mut example = json!({ "items": [example::<T>()] });
        if paged {
            example["next"] = shared::CURSOR.into();
        }
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.answer("200", Answer::new(about).json(schema, example))
    }

    /// A header that its good answers carry besides.
    #[must_use]
    pub fn shows(mut self, header: &'static str) -> Self {
        self.shown.insert(header);
        self
    }

    /// From its good answer on to another operation, with parameters taken out of the answer
    /// (`$response.body#/id`).
    #[must_use]
    pub fn leads_to(mut self, operation: &str, parameters: &[(&str, &str)]) -> Self {
        let parameters: Map<_, _> = parameters
            .iter()
            .map(|(name, from)| ((*name).to_owned(), Value::from(*from)))
            .collect();
        let link = json!({ "operationId": operation, "parameters": parameters });
        self.links.insert(operation.to_owned(), link);
        self
    }

    /// One more way to say no.
    #[must_use]
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refused.extend(statuses);
        self
    }

    /// A way to say no that this one has not, although others like it have.
    #[must_use]
    pub fn never(mut self, statuses: &[u16]) -> Self {
        self.never.extend(statuses);
        self
    }

    /// `GET /api/v1/users`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(super) fn is_deprecated(&self) -> bool {
        self.deprecated
    }

    /// Every way to say no, but those that are answers of their own.
    pub(super) fn problems(&self) -> BTreeSet<u16> {
        let mut problems: BTreeSet<u16> = ANY.into();
        problems.extend(&self.refused);
        if !self.is_counted {
            problems.remove(&429);
        }
        if self.path.contains('{') {
            // An address whose parts cannot be decoded, and one where nothing is.
            problems.extend([400, 404]);
        }
        problems.extend(match self.access {
            Access::Public => &[][..],
            Access::SignedIn => &[401],
            Access::Operator => &[401, 403],
        });
        if self.page.is_some() || self.parameters.iter().any(|it| it["in"] == "query") {
            problems.insert(400);
        }
        if self.idempotent.is_some() {
            problems.extend([400, 409, 422]);
        }
        problems.extend(match self.if_match {
            None => &[][..],
            Some(false) => &[412],
            Some(true) => &[412, 428],
        });
        if self.body.is_some() {
            problems.extend(WITH_BODY);
        }
        let is_own = |status: &u16| self.answers.contains_key(status.to_string().as_str());
        problems.retain(|status| !self.never.contains(status) && !is_own(status));
        problems
    }

    /// Whether its good answer is what stands at the address: every answer of JSON to a GET, and
    /// what a change of it answers.
    fn is_represented(&self) -> bool {
        let is_json = self.answers.get("200").is_some_and(|it| it.content.contains_key(JSON));
        is_json && matches!(self.method, "get" | "put" | "patch")
    }

    fn all_parameters(&self) -> Vec<Value> {
        let mut all = self.parameters.clone();
        all.extend(self.page.into_iter().flat_map(shared::page_parameters));
        all.extend(self.idempotent.map(shared::idempotency_key));
        all.extend(self.if_match.map(shared::if_match));
        all.extend((self.method == "get" && self.is_represented()).then(shared::if_none_match));
        all
    }

    /// Its answers with all that follows from the rest.
    fn all_answers(&self) -> BTreeMap<&'static str, Answer> {
        let mut all = self.answers.clone();
        if self.method == "get" && self.is_represented() {
            all.insert("304", Answer::new("It has not changed since the caller read it."));
        }
        for (status, answer) in &mut all {
            if self.is_represented() && matches!(*status, "200" | "304") {
                answer.headers.extend(TAGGED);
            }
            if self.method != "get" || self.access != Access::Public {
                answer.headers.insert(shared::CACHE_CONTROL);
            }
            if status.starts_with('2') {
                if answer.content.contains_key(JSON) {
                    answer.headers.insert("Vary");
                }
                answer.headers.extend(&self.shown);
                answer.headers.extend(self.idempotent.map(|_| "Idempotency-Replayed"));
            }
            if self.deprecated {
                answer.headers.extend(shared::DEPRECATED);
            }
            answer.headers.insert(shared::REQUEST_ID);
            if self.is_counted {
                answer.headers.extend(shared::COUNTED);
            }
        }
        all
    }

    pub(super) fn to_json(&self, tag: &str) -> Value {
        let mut responses = Map::new();
        for (status, answer) in self.all_answers() {
            let links = status.starts_with('2').then_some(&self.links);
            responses.insert(status.to_owned(), answer.to_json(links));
        }
        for status in self.problems() {
            responses.insert(status.to_string(), shared::response(status, self.deprecated));
        }
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "description": self.description,
            "tags": [self.tag.unwrap_or(tag)],
            "responses": responses,
            "security": match self.access {
                Access::Public => json!([]),
                Access::SignedIn | Access::Operator => json!([{ shared::BEARER: [] }]),
            },
        });
        let parameters = self.all_parameters();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = &self.body {
            operation["requestBody"] = body.clone();
        }
        if self.deprecated {
            operation["deprecated"] = true.into();
        }
        operation
    }
}

fn example<T: Shape>() -> Value {
    serde_json::to_value(T::example()).unwrap_or_default()
}

// === impl Answer ===

impl Answer {
    fn new(about: &str) -> Self {
        Self { description: about.to_owned(), ..Self::default() }
    }

    fn json(self, schema: Value, example: Value) -> Self {
        self.content(JSON, schema, example)
    }

    fn content(mut self, media_type: &str, schema: Value, example: Value) -> Self {
        let content = json!({ "schema": schema, "example": example });
        self.content.insert(media_type.to_owned(), content);
        self
    }

    /// Takes what another one knows besides.
    fn add(&mut self, other: Self) {
        if !other.description.is_empty() {
            self.description = other.description;
        }
        self.content.extend(other.content);
        self.headers.extend(other.headers);
    }

    fn to_json(&self, links: Option<&Map<String, Value>>) -> Value {
        let headers: Map<_, _> =
            self.headers.iter().map(|it| ((*it).to_owned(), shared::header(it))).collect();
        let mut answer = json!({ "description": self.description, "headers": headers });
        if !self.content.is_empty() {
            answer["content"] = self.content.clone().into();
        }
        if let Some(links) = links.filter(|links| !links.is_empty()) {
            answer["links"] = links.clone().into();
        }
        answer
    }
}
