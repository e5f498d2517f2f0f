//! Somebody orders: what it costs, or why it fails before anybody else is asked.

use std::collections::BTreeMap;

use shop_contracts::Money;
use shop_contracts::inventory::Item;

/// A price as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// For one.
    pub price: Money,
}

/// What placing comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The workflow begins, for this much.
    Begins(Money),
    /// It fails at once; what is known of its cost is shown.
    Fails {
        /// `unknown_product` or `wrong_currency`.
        reason: &'static str,
        /// What the known items cost.
        total: Money,
    },
}

/// The currency that is shown when nothing is known that could cost anything.
const CURRENCY: &str = "USD";

/// Decides with the catalogue at hand. Quantities and prices are bounded, so that sums fit.
pub fn decide(items: &[Item], catalogue: &BTreeMap<String, Price>) -> Placed {
    let mut total = 0i64;
    let mut currency: Option<&str> = None;
    let mut reason = None;
    for item in items {
        let Some(price) = catalogue.get(&item.sku).map(|known| &known.price) else {
            reason = reason.or(Some("unknown_product"));
            continue;
        };
        if *currency.get_or_insert(&price.currency) != price.currency {
            reason = reason.or(Some("wrong_currency"));
            continue;
        }
        total = total.saturating_add(price.amount.saturating_mul(item.quantity));
    }
    let total = Money::new(total, currency.unwrap_or(CURRENCY));
    match reason {
        Some(reason) => Placed::Fails { reason, total },
        None => Placed::Begins(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(items: &[(&str, i64)], expected: Placed) {
        let price = |amount, currency| Price { price: Money::new(amount, currency) };
        let catalogue = [("cup", price(500, "USD")), ("pen", price(150, "USD"))]
            .into_iter()
            .chain([("tee", price(900, "EUR"))])
            .map(|(sku, price)| (sku.to_owned(), price))
            .collect();
        let items: Vec<_> = items
            .iter()
            .map(|(sku, quantity)| Item { sku: (*sku).to_owned(), quantity: *quantity })
            .collect();
        assert_eq!(decide(&items, &catalogue), expected);
    }

    #[test]
    fn an_order_costs_what_its_items_cost() {
        check(&[("cup", 2), ("pen", 3)], Placed::Begins(Money::new(1_450, "USD")));
    }

    #[test]
    fn what_nobody_sells_and_what_cannot_be_added_fails() {
        let total = Money::new(500, "USD");
        check(
            &[("cup", 1), ("hat", 1)],
            Placed::Fails { reason: "unknown_product", total: total.clone() },
        );
        check(&[("cup", 1), ("tee", 1)], Placed::Fails { reason: "wrong_currency", total });
    }
}
