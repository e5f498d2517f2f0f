//! Which orders go well, and which are meant to fail, each for a real reason.

use switchboard_core::Rng;

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What it is meant to come to.
    pub fate: Fate,
    /// The product.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// Where to.
    pub country: &'static str,
}

/// What an order is meant to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Completed.
    Well,
    /// More than there is: items are refused, the money comes back.
    OutOfStock,
    /// A country that is not served: everything is undone.
    NotServed,
    /// A product that nobody sells: it fails at once.
    UnknownProduct,
    /// More than is on the account: the charge is refused.
    TooExpensive,
}

/// Draws wishes.
#[derive(Clone, Debug)]
pub struct Mix {
    rng: Rng,
    products: Vec<Product>,
    /// One in so many orders is meant to fail; 0 lets all go well.
    failing: u64,
}

/// A product as the mix needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name in the shop.
    pub sku: String,
    /// Its price in minor units.
    pub price: i64,
    /// How many there are.
    pub available: i64,
}

// === impl Mix ===

impl Mix {
    /// From these products; one in `failing` orders is meant to fail.
    pub fn new(products: Vec<Product>, failing: u64, rng: Rng) -> Self {
        Self { rng, products, failing }
    }

    /// The next wish; `None` when there are no products at all.
    pub fn wish(&mut self) -> Option<Wish> {
        let fails = self.failing > 0 && self.rng.below(self.failing) == 0;
        let fates = [Fate::OutOfStock, Fate::NotServed, Fate::UnknownProduct, Fate::TooExpensive];
        let fate = match fails {
            true => *self.rng.pick(&fates)?,
            false => Fate::Well,
        };
        let product = self.rng.pick(&self.products)?.clone();
        let few = 1 + i64::try_from(self.rng.below(3)).unwrap_or(0);
        Some(match fate {
            Fate::Well => Wish { fate, sku: product.sku, quantity: few, country: "DE" },
            Fate::OutOfStock => {
                let cheapest = self.products.iter().min_by_key(|product| product.price)?;
                let quantity = cheapest.available + 1;
                Wish { fate, sku: cheapest.sku.clone(), quantity, country: "DE" }
            }
            Fate::TooExpensive => {
                let dearest = self.products.iter().max_by_key(|product| product.price)?;
                Wish { fate, sku: dearest.sku.clone(), quantity: 50_000, country: "DE" }
            }
            Fate::NotServed => Wish { fate, sku: product.sku, quantity: 1, country: "AQ" },
            Fate::UnknownProduct => {
                Wish { fate, sku: "no-such-product".to_owned(), quantity: 1, country: "DE" }
            }
        })
    }
}
