//! What is sold at which price, learned from inventory and kept here, so that placing an order asks nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shop_contracts::Money;
use shop_contracts::inventory::{Item, ProductListed};
use shop_edge::Deps;
use switchboard_handler::Group;
use switchboard_store::{Select, Store, StoreError, Unit, Value, table::SELECT_LIMIT};

use crate::domain::place_order::Price;
use crate::tables::PRODUCTS;

/// The catalogue as far as it is known.
#[derive(Clone, Debug)]
pub struct Products {
    store: Arc<dyn Store>,
    complete: Arc<AtomicBool>,
}

// === impl Products ===

impl Products {
    /// Over this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, complete: Arc::default() }
    }

    /// Whether every product of the first listing is known: before that, orders would fail that
    /// must not.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Looks whether everything is known by now.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self) -> Result<(), StoreError> {
        let rows = self.store.select(Select::all(&PRODUCTS).limit(SELECT_LIMIT)).await?;
        let of = rows.iter().map(|row| row.integer("of")).max().unwrap_or(i64::MAX);
        let known = i64::try_from(rows.len()).unwrap_or(0);
        self.complete.store(known >= of, Ordering::Release);
        Ok(())
    }

    /// The prices of these items, as far as they are sold.
    ///
    /// # Errors
    /// The store's.
    pub async fn prices(&self, items: &[Item]) -> Result<BTreeMap<String, Price>, StoreError> {
        let mut prices = BTreeMap::new();
        for item in items {
            if let Some(row) = self.store.row(&PRODUCTS, &item.sku).await? {
                let price = Money::new(row.integer("price"), row.text("currency"));
                prices.insert(item.sku.clone(), Price { price });
            }
        }
        Ok(prices)
    }

    /// The group that follows the listings.
    pub fn group(&self, deps: &Deps) -> Group {
        deps.group("orders.products").on::<ProductListed, _, _>(|listed, _cause| async move {
            Ok(Unit::new().put(
                &PRODUCTS,
                &*listed.sku,
                [
                    ("name", Value::from(listed.name)),
                    ("price", Value::from(listed.price.amount)),
                    ("currency", Value::from(listed.price.currency)),
                    ("of", Value::from(i64::from(listed.of))),
                ],
            ))
        })
    }
}
