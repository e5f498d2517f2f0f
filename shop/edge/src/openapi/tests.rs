//! What the document says of operations, and what it must not say.

use serde::Serialize;
use utoipa::ToSchema;

use super::*;

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// What is wished for.
    #[schema(value_type = Text<1, 10>, inline)]
    wish: String,
}

impl Shape for Wish {
    fn example() -> Self {
        Self { wish: "rain".to_owned() }
    }
}

fn part() -> Part {
    let create = Operation::post("/wishes", "createWish")
        .says("Wish", "Once.")
        .body::<Wish>(Bodies::Json)
        .created::<Wish>("It is heard.")
        .idempotent(true)
        .leads_to("getWish", &[("id", "$response.body#/id")]);
    let show = Operation::get("/wishes/{id}", "getWish")
        .says("Show", "One.")
        .public()
        .at_id("id", "The wish.")
        .ok::<Wish>("The wish.");
    let list = Operation::get("/wishes", "listWishes").says("List", "All.").page_of::<Wish>("All.");
    Part::new("wishes", "What people wish for.").with(create).with(show).with(list)
}

fn written() -> Value {
    document(&About { title: "Wishes", version: "1.0.0", description: "All." }, &[part()])
}

#[test]
fn e12_every_operation_says_how_it_can_fail_and_who_may_call_it() {
    let document = written();
    assert_eq!(document["openapi"], "3.1.0");
    let create = &document["paths"]["/wishes"]["post"];
    for status in ["400", "401", "405", "406", "409", "413", "415", "422", "429", "500", "503"] {
        assert!(create["responses"][status]["$ref"].is_string(), "{status}: {create}");
    }
    assert_eq!(create["security"][0]["bearer"], json!([]));
    let show = &document["paths"]["/wishes/{id}"]["get"];
    assert_eq!(show["security"], json!([]));
    assert!(show["responses"]["401"].is_null() && show["responses"]["404"].is_object());
    let unauthorized = &document["components"]["responses"]["Unauthorized"];
    assert!(unauthorized["content"]["application/problem+json"]["examples"].is_object());
    assert!(unauthorized["headers"]["WWW-Authenticate"].is_object());
}

#[test]
fn e12_headers_and_links_are_declared() {
    let document = written();
    let created = &document["paths"]["/wishes"]["post"]["responses"]["201"];
    for header in ["Location", "Idempotency-Replayed", "X-Request-Id"] {
        assert!(created["headers"][header].is_object(), "{header}");
        assert!(document["components"]["headers"][header]["schema"].is_object(), "{header}");
    }
    assert_eq!(created["links"]["getWish"]["operationId"], "getWish");
    let show = &document["paths"]["/wishes/{id}"]["get"]["responses"];
    assert!(
        show["200"]["headers"]["ETag"].is_object() && show["304"]["headers"]["ETag"].is_object()
    );
    let retry = &document["components"]["headers"]["Retry-After"];
    assert_eq!((&retry["schema"]["type"], &retry["example"]), (&"integer".into(), &1.into()));
}

#[test]
fn an_inlined_type_keeps_its_description_and_stays_satisfiable() {
    let document = written();
    let wish = &document["components"]["schemas"]["Wish"];
    assert_eq!(wish["additionalProperties"], false);
    assert_eq!(wish["properties"]["wish"]["type"], "string");
    assert_eq!(wish["properties"]["wish"]["description"], "What is wished for.");
}

#[test]
fn a_page_is_items_and_the_next_cursor() {
    let page = &written()["components"]["schemas"]["WishPage"];
    assert_eq!(page["required"], json!(["items"]));
    assert_eq!(page["properties"]["next"]["type"], "string");
}

#[test]
fn what_nobody_refers_to_is_left_out() {
    let document = written();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(
        schemas.keys().collect::<Vec<_>>(),
        ["Link", "Mistake", "Problem", "Wish", "WishPage"]
    );
    assert!(document["components"]["headers"]["Sunset"].is_null());
}

#[test]
fn what_is_said_twice_is_found() {
    assert_eq!(clashes(&[part()]), Vec::<String>::new());
    let found = clashes(&[part(), part()]);
    assert!(found.contains(&"two operations are GET /wishes".to_owned()), "{found:?}");
    assert!(found.contains(&"two operations have the id getWish".to_owned()), "{found:?}");
}

#[test]
fn what_is_said_in_another_order_is_the_same() {
    let begun = || Operation::patch("/wishes/{id}", "changeWish").says("Change", "One.");
    let (is, links) = ("It is so.", [("id", "$response.body#/id")]);
    let one = begun()
        .operator()
        .at_id("id", "The wish.")
        .body::<Wish>(Bodies::Patch)
        .ok::<Wish>(is)
        .or_as("text/plain", "rain")
        .or_503::<Wish>("Not now.")
        .shows("X-Degraded")
        .idempotent(true)
        .if_match(true)
        .refuses(&[403, 409])
        .never(&[403, 502])
        .leads_to("getWish", &links)
        .deprecated();
    let other = begun()
        .deprecated()
        .leads_to("getWish", &links)
        .never(&[403, 502])
        .refuses(&[403, 409])
        .if_match(true)
        .idempotent(true)
        .shows("X-Degraded")
        .or_503::<Wish>("Not now.")
        .or_as("text/plain", "rain")
        .ok::<Wish>(is)
        .body::<Wish>(Bodies::Patch)
        .at_id("id", "The wish.")
        .operator();
    assert_eq!(one.to_json("wishes"), other.to_json("wishes"));
    let responses = &one.to_json("wishes")["responses"];
    let good = &responses["200"];
    for header in ["ETag", "X-Degraded", "Idempotency-Replayed", "Sunset"] {
        assert!(good["headers"][header].is_object(), "{header}");
    }
    assert!(good["links"]["getWish"].is_object() && good["content"]["text/plain"].is_object());
    assert!(responses["403"].is_null() && responses["401"].is_object());
    assert!(responses["503"]["$ref"].is_null(), "an answer of its own");
    assert_eq!(responses["409"]["$ref"], "#/components/responses/ConflictDeprecated");
}

#[test]
fn a_page_that_holds_more_says_so_whenever_that_is_said() {
    let list = || Operation::get("/wishes", "listWishes");
    for list in [list().holds(7).page_of::<Wish>("All."), list().page_of::<Wish>("All.").holds(7)] {
        assert_eq!(list.to_json("wishes")["parameters"][0]["schema"]["default"], 7);
    }
}
