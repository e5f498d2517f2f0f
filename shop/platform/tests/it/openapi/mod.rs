//! The document and the running shop: what is answered is what the document says, examples included.

mod contract;
mod steps;

use std::collections::BTreeMap;

use serde_json::json;

use crate::Shop;
use contract::Contract;
use steps::Walk;

#[tokio::test(flavor = "multi_thread")]
async fn e12_what_every_operation_answers_is_what_the_document_says() {
    let shop = Shop::start().await;
    let ada = shop.somebody("ada@example.com", 10_000_000).await;
    let mut walk = Walk {
        shop: &shop,
        contract: Contract::new(),
        token: String::new(),
        values: BTreeMap::new(),
    };
    steps::as_a_customer(&mut walk, &ada).await;
    steps::as_an_orderer(&mut walk, &ada).await;
    steps::as_the_operator(&mut walk).await;
    steps::as_anybody(&mut walk).await;
    assert!(walk.contract.wrong.is_empty(), "{:#?}", walk.contract.wrong);
    let (unseen, unsent) = (walk.contract.unseen(), walk.contract.unsent());
    assert!(unseen.is_empty(), "good answers that were never given: {unseen:#?}");
    assert!(unsent.is_empty(), "headers that are declared and were not sent: {unsent:#?}");
    drop(walk);
    shop.end().await;
}

#[test]
fn the_walk_would_notice_what_the_document_does_not_know() {
    let contract = Contract::new();
    let validator = contract.validator(&json!({ "$ref": "#/components/schemas/Item" }));
    assert!(validator.is_valid(&json!({ "sku": "a", "quantity": 1 })));
    for wrong in [json!({ "sku": "a" }), json!({ "sku": "a", "quantity": 1, "more": 2 })] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    let money = contract.validator(&json!({ "$ref": "#/components/schemas/Money" }));
    assert!(!money.is_valid(&json!({ "amount": 1, "currency": "USD", "more": 2 })));
}

#[test]
fn e12_every_example_is_what_it_is_an_example_of() {
    let contract = Contract::new();
    let mut checked = 0;
    for (path, methods) in contract.document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = contract.resolved(&operation["requestBody"]);
            let responses = operation["responses"].as_object().unwrap().values();
            let answers = responses.map(|response| contract.resolved(response));
            for content in answers.chain([body]).filter_map(|it| it["content"].as_object()) {
                for content in content.values() {
                    let validator = contract.validator(&content["schema"]);
                    let many = content["examples"].as_object().into_iter().flatten();
                    let many = many.map(|(_, example)| &example["value"]);
                    for example in many.chain(content.get("example")) {
                        let wrong: Vec<_> =
                            validator.iter_errors(example).map(|it| it.to_string()).collect();
                        assert!(wrong.is_empty(), "{method} {path}: {wrong:?}\n{example:#}");
                        checked += 1;
                    }
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if let Some(example) = parameter.get("example") {
                    let valid = contract.validator(&parameter["schema"]).is_valid(example);
                    assert!(valid, "{method} {path}: {parameter:#}");
                }
            }
        }
    }
    assert!(checked > 300, "{checked}");
}
