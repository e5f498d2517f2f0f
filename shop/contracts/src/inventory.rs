//! What the order saga asks of inventory, and what inventory tells about products.

use serde::{Deserialize, Serialize};
use switchboard_core::impl_message;

use crate::Money;

/// The topic of commands to inventory.
pub const COMMANDS: &str = "inventory.commands";
/// The topic on which products are listed.
pub const PRODUCTS: &str = "inventory.products";

/// So many of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product.
    pub sku: String,
    /// How many.
    pub quantity: i64,
}

/// Set items aside. Rejected with `out_of_stock` or `unknown_product`; then nothing is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The order.
    pub order_id: String,
    /// Each product at most once.
    pub items: Vec<Item>,
}

/// Put reserved items back: the undo of [`Reserve`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The order.
    pub order_id: String,
    /// What was reserved.
    pub items: Vec<Item>,
}

/// The reservation becomes a sale. After the pivot: can only go forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeStock {
    /// The order.
    pub order_id: String,
    /// What was reserved.
    pub items: Vec<Item>,
}

/// A product is for sale at this price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductListed {
    /// The product.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Its price.
    pub price: Money,
    /// How many products were listed at the first start; who has seen them all is ready.
    pub of: u32,
}

impl_message!(Reserve, COMMANDS, "inventory.reserve", key = order_id);
impl_message!(Release, COMMANDS, "inventory.release", key = order_id);
impl_message!(TakeStock, COMMANDS, "inventory.take_stock", key = order_id);
impl_message!(ProductListed, PRODUCTS, "inventory.product_listed", key = sku);
